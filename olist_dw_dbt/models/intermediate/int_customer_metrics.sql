with customers as (
    select * from {{ ref('stg_customers') }}
    {{ only_affected_below('int_affected_customers', 'customer_unique_id') }}
),

orders as (
    select * from {{ ref('int_order_enriched') }}
    {{ only_affected_below('int_affected_customers', 'customer_unique_id') }}
),

people as (
    select distinct customer_unique_id
    from customers
),

delivered as (
    select
        customer_unique_id,
        cast(min(order_purchase_timestamp) as date) as first_order_date,
        cast(max(order_purchase_timestamp) as date) as last_order_date,
        count(*) as total_orders,
        sum(total_amount) as total_spent
    from orders
    where is_delivered
    group by customer_unique_id
),

measured as (
    select
        people.customer_unique_id,
        delivered.first_order_date,
        delivered.last_order_date,
        cast(coalesce(delivered.total_orders, 0) as integer) as total_orders,
        cast(coalesce(delivered.total_spent, 0) as decimal(18, 2)) as total_spent,
        {{ days_between('delivered.last_order_date', as_of_date()) }} as days_since_last_order
    from people
    left join delivered on people.customer_unique_id = delivered.customer_unique_id
),

final as (
    select
        customer_unique_id,
        first_order_date,
        last_order_date,
        total_orders,
        total_spent,
        {{ money_ratio('total_spent', 'total_orders') }} as avg_order_value,
        days_since_last_order,
        total_orders >= 2 as is_repeat_customer,
        {{ customer_segment('total_orders', 'total_spent', 'days_since_last_order') }} as customer_segment
    from measured
)

select * from final
