with order_items as (
    select * from {{ ref('stg_order_items') }}
    {{ only_affected_below('int_affected_sellers', 'seller_id') }}
),

orders as (
    select * from {{ ref('int_order_enriched') }}
),

final as (
    select
        order_items.seller_id,
        cast(min(orders.order_purchase_timestamp) as date) as first_sold_date,
        cast(max(orders.order_purchase_timestamp) as date) as last_sold_date,
        cast(count(distinct order_items.order_id) as integer) as total_orders,
        cast(count(*) as integer) as total_items,
        cast(sum(order_items.price) as decimal(18, 2)) as total_revenue
    from order_items
    left join orders on order_items.order_id = orders.order_id
    group by order_items.seller_id
)

select * from final
