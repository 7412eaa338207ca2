with order_items as (
    select * from {{ ref('stg_order_items') }}
    {{ only_affected_below('int_affected_products', 'product_id') }}
),

orders as (
    select * from {{ ref('int_order_enriched') }}
),

sold as (
    select
        order_items.product_id,
        cast(min(orders.order_purchase_timestamp) as date) as first_sold_date,
        cast(max(orders.order_purchase_timestamp) as date) as last_sold_date,
        cast(count(distinct order_items.order_id) as integer) as total_orders,
        cast(count(*) as integer) as total_items,
        cast(sum(order_items.price) as decimal(18, 2)) as total_revenue
    from order_items
    left join orders on order_items.order_id = orders.order_id
    group by order_items.product_id
),

final as (
    select
        product_id,
        first_sold_date,
        last_sold_date,
        total_orders,
        total_items,
        total_revenue,
        {{ money_ratio('total_revenue', 'total_items') }} as avg_price
    from sold
)

select * from final
