{#- A complete month has at least these shares of the median month's order days and orders: too few days is a month
    that trade or the data began or broke off in, too few orders the trickle after trade has stopped. -#}
{% set min_order_day_share = 0.5 %}
{% set min_order_share = 0.05 %}

with

orders as (

    select
        *,
        {{ day_of('order_purchase_timestamp') }} as order_date,
        {{ month_of('order_purchase_timestamp') }} as order_month

    from {{ ref('fact_orders') }}

),

order_items as (

    select * from {{ ref('fact_order_items') }}

),

dates as (

    select * from {{ ref('dim_date') }}

),

data_range as (

    select
        min(order_date) as first_order_date,
        max(order_date) as last_order_date

    from orders

),

-- every calendar month from the first purchase to the last, with or without orders
months as (

    select
        {{ month_of('dates.full_date') }} as month_start_date,
        min(dates.year_month) as year_month,
        min(dates.year) as year,
        min(dates.quarter) as quarter,
        min(dates.month) as month,
        min(dates.days_in_month) as days_in_month,
        min(data_range.first_order_date) as first_order_date,
        min(data_range.last_order_date) as last_order_date

    from dates
    cross join data_range
    where dates.full_date between data_range.first_order_date and data_range.last_order_date
    group by {{ month_of('dates.full_date') }}

),

order_measures as (

    select
        order_month,
        count(distinct order_date) as order_days,
        {{ executive_order_measures() }}

    from orders
    group by order_month

),

item_measures as (

    select
        dates.year_month,
        count(*) as items_sold,
        count(distinct order_items.product_id) as unique_products,
        count(distinct order_items.seller_id) as active_sellers

    from order_items
    inner join dates on order_items.order_date_key = dates.date_key
    where dates.full_date is not null
    group by dates.year_month

),

typical_month as (

    select
        {{ percentile_of('order_days', 0.5) }} as median_order_days,
        {{ percentile_of('order_count', 0.5) }} as median_order_count

    from order_measures

),

monthly as (

    select
        months.year_month,
        months.month_start_date,
        months.year,
        months.quarter,
        months.month,
        months.days_in_month,
        coalesce(order_measures.order_days, 0) as order_days,
        coalesce(order_measures.order_days, 0) >= {{ min_order_day_share }} * typical_month.median_order_days
        and coalesce(order_measures.order_count, 0) >= {{ min_order_share }} * typical_month.median_order_count
        and months.first_order_date <= months.month_start_date
        and months.last_order_date >= {{ dbt.dateadd('day', -1, dbt.dateadd('month', 1, 'months.month_start_date')) }}
            as is_complete_month,

        coalesce(order_measures.order_count, 0) as order_count,
        coalesce(order_measures.orders_with_items, 0) as orders_with_items,
        coalesce(order_measures.delivered_orders, 0) as delivered_orders,
        coalesce(order_measures.canceled_orders, 0) as canceled_orders,
        {{ share_of('order_measures.canceled_orders', 'order_measures.order_count') }} as cancellation_share,

        coalesce(order_measures.gmv, 0) as gmv,
        coalesce(order_measures.delivered_gmv, 0) as delivered_gmv,
        coalesce(order_measures.revenue, 0) as revenue,
        coalesce(order_measures.freight, 0) as freight,
        coalesce(order_measures.payments, 0) as payments,
        {{ money_ratio('order_measures.gmv', 'order_measures.orders_with_items') }} as avg_order_value,
        {{ share_of('order_measures.freight', 'order_measures.gmv') }} as freight_share,

        coalesce(item_measures.items_sold, 0) as items_sold,
        coalesce(item_measures.unique_products, 0) as unique_products,
        coalesce(item_measures.active_sellers, 0) as active_sellers,

        coalesce(order_measures.unique_customers, 0) as unique_customers,
        coalesce(order_measures.new_customers, 0) as new_customers,
        coalesce(order_measures.unique_customers - order_measures.new_customers, 0) as repeat_customers,
        {{ share_of(
            'order_measures.unique_customers - order_measures.new_customers', 'order_measures.unique_customers'
        ) }} as repeat_customer_share,

        coalesce(order_measures.reviewed_orders, 0) as reviewed_orders,
        {{ share_of('order_measures.review_score_sum', 'order_measures.reviewed_orders') }} as avg_review_score,

        coalesce(order_measures.arrived_orders, 0) as arrived_orders,
        coalesce(order_measures.late_orders, 0) as late_orders,
        {{ share_of('order_measures.arrived_orders - order_measures.late_orders', 'order_measures.arrived_orders') }}
            as on_time_share

    from months
    cross join typical_month
    left join order_measures on months.month_start_date = order_measures.order_month
    left join item_measures on months.year_month = item_measures.year_month

),

-- the spine has no gaps: one row back is the month before, twelve rows back the same month of last year
compared as (

    select
        *,
        case
            when is_complete_month and lag(is_complete_month, 1) over (order by month_start_date)
                then lag(order_count, 1) over (order by month_start_date)
        end as prev_month_order_count,
        case
            when is_complete_month and lag(is_complete_month, 1) over (order by month_start_date)
                then lag(gmv, 1) over (order by month_start_date)
        end as prev_month_gmv,
        case
            when is_complete_month and lag(is_complete_month, 12) over (order by month_start_date)
                then lag(order_count, 12) over (order by month_start_date)
        end as prev_year_order_count,
        case
            when is_complete_month and lag(is_complete_month, 12) over (order by month_start_date)
                then lag(gmv, 12) over (order by month_start_date)
        end as prev_year_gmv

    from monthly

),

final as (

    select
        cast(year_month as string) as year_month,
        cast(month_start_date as date) as month_start_date,
        cast(year as integer) as year,
        cast(quarter as integer) as quarter,
        cast(month as integer) as month,
        cast(days_in_month as integer) as days_in_month,
        cast(order_days as integer) as order_days,
        cast(is_complete_month as boolean) as is_complete_month,

        cast(order_count as bigint) as order_count,
        cast(orders_with_items as bigint) as orders_with_items,
        cast(delivered_orders as bigint) as delivered_orders,
        cast(canceled_orders as bigint) as canceled_orders,
        cast(cancellation_share as double) as cancellation_share,

        cast(gmv as decimal(18, 2)) as gmv,
        cast(delivered_gmv as decimal(18, 2)) as delivered_gmv,
        cast(revenue as decimal(18, 2)) as revenue,
        cast(freight as decimal(18, 2)) as freight,
        cast(payments as decimal(18, 2)) as payments,
        cast(avg_order_value as decimal(18, 2)) as avg_order_value,
        cast(freight_share as double) as freight_share,

        cast(items_sold as bigint) as items_sold,
        cast(unique_products as bigint) as unique_products,
        cast(active_sellers as bigint) as active_sellers,

        cast(unique_customers as bigint) as unique_customers,
        cast(new_customers as bigint) as new_customers,
        cast(repeat_customers as bigint) as repeat_customers,
        cast(repeat_customer_share as double) as repeat_customer_share,

        cast(reviewed_orders as bigint) as reviewed_orders,
        cast(avg_review_score as double) as avg_review_score,

        cast(arrived_orders as bigint) as arrived_orders,
        cast(late_orders as bigint) as late_orders,
        cast(on_time_share as double) as on_time_share,

        cast(prev_month_order_count as bigint) as prev_month_order_count,
        cast({{ growth_pct('order_count', 'prev_month_order_count') }} as double) as order_growth_pct,
        cast(prev_month_gmv as decimal(18, 2)) as prev_month_gmv,
        cast({{ growth_pct('gmv', 'prev_month_gmv') }} as double) as gmv_growth_pct,
        cast({{ growth_pct('order_count', 'prev_year_order_count') }} as double) as order_growth_yoy_pct,
        cast({{ growth_pct('gmv', 'prev_year_gmv') }} as double) as gmv_growth_yoy_pct

    from compared

)

select * from final
