{{ config(materialized='table') }}

{#-
    A list of its own, so that a new product or seller leaves the orders, and all that is built of them, alone. What was
    built does not matter here: an item that changed its product has a key of its own.
-#}
{{- depends_on(['stg_products', 'stg_sellers', 'stg_category_translation']) -}}

with affected_orders as (
    select * from {{ ref('int_affected_orders') }}
),

order_items as (
    select * from {{ ref('stg_order_items') }}
),

{% if extent_of_replacement() == 'changed' -%}
changed_products as (
    {{ changed_values('product_id') }}
),

changed_sellers as (
    {{ changed_values('seller_id') }}
),

final as (
    select order_id from affected_orders

    union

    select order_id
    from order_items
    where
        product_id in (select product_id from changed_products)
        or seller_id in (select seller_id from changed_sellers)
)
{%- else -%}
final as (
    select order_id from affected_orders
)
{%- endif %}

select * from final
