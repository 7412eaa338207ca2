{#- A table: dim_product and mart_product_performance read it, and a delivery touches few products. -#}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_affected',
        on_schema_change='fail',
        meta={'affected_by': 'int_affected_products', 'affected_key': 'product_id'}
    )
}}

with order_items as (
    select * from {{ ref('stg_order_items') }}
    {{ only_affected('int_affected_products', 'product_id') }}
),

orders as (
    select * from {{ ref('int_order_enriched') }}
),

-- The outcome of an order counts once for each product in it, however many pieces were bought.
product_orders as (
    select
        product_id,
        order_id,
        {{- sums_of_items() }},
        min(price) as min_price,
        max(price) as max_price
    from order_items
    group by product_id, order_id
),

sold as (
    select
        product_orders.product_id,
        {{- sums_of_orders('product_orders') }},
        min(product_orders.min_price) as min_price,
        max(product_orders.max_price) as max_price
    from product_orders
    left join orders on product_orders.order_id = orders.order_id
    group by product_orders.product_id
),

product_sellers as (
    select
        product_id,
        count(distinct seller_id) as sellers
    from order_items
    group by product_id
),

final as (
    select
        sold.*,
        {{ money_ratio('sold.total_revenue', 'sold.total_items') }} as avg_price,
        product_sellers.sellers
    from sold
    inner join product_sellers on sold.product_id = product_sellers.product_id
)

select * from final
