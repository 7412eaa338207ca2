{{ config(materialized='table') }}

{#- Whatever changes one of these changes the product or the seller of an item. -#}
-- depends_on: {{ ref('stg_products') }}, {{ ref('stg_sellers') }}

with affected_orders as (
    select * from {{ ref('int_affected_orders') }}
),

order_items as (
    select * from {{ ref('stg_order_items') }}
),

final as (
    select order_id from affected_orders

    union

    select order_id
    from order_items
    where
        product_id in ({{ changed_values('products', 'product_id') }})
        or seller_id in ({{ changed_values('sellers', 'seller_id') }})
)

select order_id from final
