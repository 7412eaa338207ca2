{{ config(materialized='table') }}

{#- Products that have changed, or their translation, and those of the items that have come, gone or changed. -#}
{{- depends_on(['stg_category_translation']) -}}

{%- set extent = extent_of_replacement() -%}

with products as (
    select * from {{ ref('stg_products') }}
),

order_items as (
    select * from {{ ref('stg_order_items') }}
),

{% if extent == 'changed' -%}
affected_orders as (
    select * from {{ ref('int_affected_orders') }}
),

changed_categories as (
    {{ changed_values('product_category_name') }}
),

affected as (
    {{ changed_values('product_id') }}

    union

    select product_id
    from order_items
    where order_id in (select order_id from affected_orders)

    union

    select product_id
    from ({{ built_rows(['fact_order_items'], ['order_id', 'product_id']) }}) as built
    where order_id in (select order_id from affected_orders)

    union

    select product_id
    from ({{ built_rows(['dim_product'], ['product_id', 'product_category_name']) }}) as built
    where product_category_name in (select lower(product_category_name) from changed_categories)
),
{%- elif extent == 'all' -%}
affected as (
    select product_id from products
    union
    select product_id from ({{ built_rows(['dim_product'], ['product_id']) }}) as built
),
{%- else -%}
affected as (
    select product_id from products
    where false
),
{%- endif %}

final as (
    select product_id
    from affected
    where product_id is not null
)

select * from final
