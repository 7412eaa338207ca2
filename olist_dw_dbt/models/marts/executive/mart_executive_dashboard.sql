with

orders as (

    select
        *,
        {{ day_of('order_purchase_timestamp') }} as order_date

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

data_range as (

    select
        min(order_date) as first_order_date,
        max(order_date) as last_order_date

    from orders

),

-- every calendar day from the first purchase to the last, with or without orders
days as (

    select dates.*
    from dates
    cross join data_range
    where dates.full_date between data_range.first_order_date and data_range.last_order_date

),

order_measures as (

    select
        order_date,
        {{ executive_order_measures() }}

    from orders
    group by order_date

),

item_measures as (

    select
        dates.full_date as order_date,
        count(*) as items_sold,
        count(distinct order_items.product_id) as unique_products,
        count(distinct order_items.seller_id) as active_sellers

    from order_items
    inner join dates on order_items.order_date_key = dates.date_key
    where dates.full_date is not null
    group by dates.full_date

),

daily as (

    select
        days.full_date,
        days.year,
        days.month,
        days.year_month,
        days.day_name,
        days.is_weekend,
        days.days_in_month,
        months.is_complete_month,

        coalesce(order_measures.order_count, 0) as order_count,
        coalesce(order_measures.orders_with_items, 0) as orders_with_items,
        coalesce(order_measures.delivered_orders, 0) as delivered_orders,
        coalesce(order_measures.canceled_orders, 0) as canceled_orders,

        coalesce(order_measures.gmv, 0) as gmv,
        coalesce(order_measures.delivered_gmv, 0) as delivered_gmv,
        coalesce(order_measures.revenue, 0) as revenue,
        coalesce(order_measures.freight, 0) as freight,
        coalesce(order_measures.payments, 0) as payments,
        {{ money_ratio('order_measures.gmv', 'order_measures.orders_with_items') }} as avg_order_value,

        coalesce(item_measures.items_sold, 0) as items_sold,
        coalesce(item_measures.unique_products, 0) as unique_products,
        coalesce(item_measures.active_sellers, 0) as active_sellers,

        coalesce(order_measures.unique_customers, 0) as unique_customers,
        coalesce(order_measures.new_customers, 0) as new_customers,
        coalesce(order_measures.unique_customers - order_measures.new_customers, 0) as repeat_customers,

        coalesce(order_measures.reviewed_orders, 0) as reviewed_orders,
        {{ share_of('order_measures.review_score_sum', 'order_measures.reviewed_orders') }} as avg_review_score,

        coalesce(order_measures.arrived_orders, 0) as arrived_orders,
        coalesce(order_measures.late_orders, 0) as late_orders,
        {{ share_of('order_measures.arrived_orders - order_measures.late_orders', 'order_measures.arrived_orders') }}
            as on_time_share,

        months.order_count as monthly_orders,
        months.gmv as monthly_gmv,
        months.avg_order_value as monthly_avg_order_value

    from days
    left join order_measures on days.full_date = order_measures.order_date
    left join item_measures on days.full_date = item_measures.order_date
    left join months on days.year_month = months.year_month

),

-- the spine has no gaps: one row back is the day before
compared as (

    select
        *,
        lag(gmv, 1) over (order by full_date) as prev_day_gmv,
        lag(gmv, 7) over (order by full_date) as prev_week_gmv,
        count(*) over (order by full_date rows between 6 preceding and current row) as days_in_window,
        sum(gmv) over (order by full_date rows between 6 preceding and current row) as gmv_of_7_days,
        sum(gmv) over (partition by year_month order by full_date rows between unbounded preceding and current row)
            as month_to_date_gmv

    from daily

),

final as (

    select
        cast(full_date as date) as full_date,
        cast(year as integer) as year,
        cast(month as integer) as month,
        cast(year_month as string) as year_month,
        cast(day_name as string) as day_name,
        cast(is_weekend as boolean) as is_weekend,
        cast(days_in_month as integer) as days_in_month,
        cast(is_complete_month as boolean) as is_complete_month,

        cast(order_count as bigint) as order_count,
        cast(orders_with_items as bigint) as orders_with_items,
        cast(delivered_orders as bigint) as delivered_orders,
        cast(canceled_orders as bigint) as canceled_orders,

        cast(gmv as decimal(18, 2)) as gmv,
        cast(delivered_gmv as decimal(18, 2)) as delivered_gmv,
        cast(revenue as decimal(18, 2)) as revenue,
        cast(freight as decimal(18, 2)) as freight,
        cast(payments as decimal(18, 2)) as payments,
        cast(avg_order_value as decimal(18, 2)) as avg_order_value,

        cast(items_sold as bigint) as items_sold,
        cast(unique_products as bigint) as unique_products,
        cast(active_sellers as bigint) as active_sellers,

        cast(unique_customers as bigint) as unique_customers,
        cast(new_customers as bigint) as new_customers,
        cast(repeat_customers as bigint) as repeat_customers,

        cast(reviewed_orders as bigint) as reviewed_orders,
        cast(avg_review_score as double) as avg_review_score,

        cast(arrived_orders as bigint) as arrived_orders,
        cast(late_orders as bigint) as late_orders,
        cast(on_time_share as double) as on_time_share,

        cast(prev_day_gmv as decimal(18, 2)) as prev_day_gmv,
        cast({{ growth_pct('gmv', 'prev_day_gmv') }} as double) as gmv_growth_pct,
        cast({{ growth_pct('gmv', 'prev_week_gmv') }} as double) as gmv_growth_vs_week_ago_pct,
        case when days_in_window = 7 then {{ money_ratio('gmv_of_7_days', 7) }} end as gmv_7_day_avg,

        cast(month_to_date_gmv as decimal(18, 2)) as month_to_date_gmv,
        cast(monthly_orders as bigint) as monthly_orders,
        cast(monthly_gmv as decimal(18, 2)) as monthly_gmv,
        cast(monthly_avg_order_value as decimal(18, 2)) as monthly_avg_order_value

    from compared

)

select * from final
