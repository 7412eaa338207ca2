with

orders as (

    select
        *,
        {{ month_of('order_purchase_timestamp') }} as order_month

    from {{ ref('fact_orders') }}

),

order_items as (

    select * from {{ ref('fact_order_items') }}

),

dates as (

    select * from {{ ref('dim_date') }}

),

months as (

    select * from {{ ref('mart_executive_monthly') }}

),

order_measures as (

    select
        order_month,
        customer_state,
        {{ region_of_state('customer_state') }} as customer_region,
        {{ executive_order_measures() }}

    from orders
    group by order_month, customer_state

),

item_measures as (

    select
        dates.year_month,
        order_items.customer_state,
        count(*) as items_sold

    from order_items
    inner join dates on order_items.order_date_key = dates.date_key
    where dates.full_date is not null
    group by dates.year_month, order_items.customer_state

),

final as (

    select
        {{ generate_surrogate_key(['months.year_month', 'order_measures.customer_state']) }} as state_month_key,
        cast(months.year_month as string) as year_month,
        cast(months.month_start_date as date) as month_start_date,
        cast(months.is_complete_month as boolean) as is_complete_month,
        cast(order_measures.customer_state as string) as customer_state,
        cast(order_measures.customer_region as string) as customer_region,

        cast(order_measures.order_count as bigint) as order_count,
        cast(order_measures.orders_with_items as bigint) as orders_with_items,
        cast(order_measures.delivered_orders as bigint) as delivered_orders,
        cast(order_measures.canceled_orders as bigint) as canceled_orders,

        cast(order_measures.gmv as decimal(18, 2)) as gmv,
        cast(order_measures.delivered_gmv as decimal(18, 2)) as delivered_gmv,
        cast(order_measures.revenue as decimal(18, 2)) as revenue,
        cast(order_measures.freight as decimal(18, 2)) as freight,
        cast(order_measures.payments as decimal(18, 2)) as payments,
        cast({{ money_ratio('order_measures.gmv', 'order_measures.orders_with_items') }} as decimal(18, 2))
            as avg_order_value,

        cast(coalesce(item_measures.items_sold, 0) as bigint) as items_sold,
        cast(order_measures.unique_customers as bigint) as unique_customers,
        cast(order_measures.new_customers as bigint) as new_customers,

        cast(order_measures.reviewed_orders as bigint) as reviewed_orders,
        cast(coalesce(order_measures.review_score_sum, 0) as bigint) as review_score_sum,
        cast({{ share_of('order_measures.review_score_sum', 'order_measures.reviewed_orders') }} as double)
            as avg_review_score,

        cast(order_measures.arrived_orders as bigint) as arrived_orders,
        cast(order_measures.late_orders as bigint) as late_orders,
        cast(
            {{ share_of('order_measures.arrived_orders - order_measures.late_orders', 'order_measures.arrived_orders') }}
            as double
        ) as on_time_share

    from order_measures
    inner join months on order_measures.order_month = months.month_start_date
    left join item_measures
        on months.year_month = item_measures.year_month
        and order_measures.customer_state = item_measures.customer_state

)

select * from final
