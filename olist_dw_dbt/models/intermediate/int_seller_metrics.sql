{#- A table: dim_seller and mart_seller_scorecard read it, and a delivery touches few sellers. -#}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_affected',
        on_schema_change='fail',
        meta={'affected_by': 'int_affected_sellers', 'affected_key': 'seller_id'}
    )
}}

with order_items as (
    select * from {{ ref('stg_order_items') }}
    {{ only_affected('int_affected_sellers', 'seller_id') }}
),

orders as (
    select * from {{ ref('int_order_enriched') }}
),

-- One row per seller and order; an order of several sellers counts in full for each of them.
seller_orders as (
    select
        seller_id,
        order_id,
        {{- sums_of_items() }},
        min({{ day_of('shipping_limit_date') }}) as shipping_limit_date
    from order_items
    group by seller_id, order_id
),

sold as (
    select
        seller_orders.seller_id,
        {{- sums_of_orders('seller_orders') }},
        count(
            case
                when orders.order_delivered_carrier_date is not null and seller_orders.shipping_limit_date is not null
                    then 1
            end
        ) as dispatched_orders,
        count(
            case
                when {{ day_of('orders.order_delivered_carrier_date') }} > seller_orders.shipping_limit_date then 1
            end
        ) as late_dispatch_orders,
        count(orders.days_to_deliver) as timed_orders,
        sum(orders.days_to_deliver) as days_to_deliver_sum
    from seller_orders
    left join orders on seller_orders.order_id = orders.order_id
    group by seller_orders.seller_id
),

seller_products as (
    select
        seller_id,
        count(distinct product_id) as products_sold
    from order_items
    group by seller_id
),

final as (
    select
        sold.*,
        seller_products.products_sold
    from sold
    inner join seller_products on sold.seller_id = seller_products.seller_id
)

select * from final
