-- Every month of the executive mart is the sum of its days, and the days quote their month.
with

daily as (

    select
        year_month,
        sum(order_count) as order_count,
        sum(gmv) as gmv,
        sum(delivered_gmv) as delivered_gmv,
        sum(revenue) as revenue,
        sum(freight) as freight,
        sum(payments) as payments,
        sum(items_sold) as items_sold,
        sum(new_customers) as new_customers,
        sum(late_orders) as late_orders,
        max(month_to_date_gmv) as month_to_date_gmv,
        max(monthly_orders) as monthly_orders,
        max(monthly_gmv) as monthly_gmv

    from {{ ref('mart_executive_dashboard') }}
    group by year_month

)

select
    monthly.year_month as mart_month,
    daily.year_month as daily_month

from {{ ref('mart_executive_monthly') }} as monthly
full outer join daily on monthly.year_month = daily.year_month
where
    monthly.year_month is null
    or daily.year_month is null
    or monthly.order_count <> daily.order_count
    or monthly.gmv <> daily.gmv
    or monthly.delivered_gmv <> daily.delivered_gmv
    or monthly.revenue <> daily.revenue
    or monthly.freight <> daily.freight
    or monthly.payments <> daily.payments
    or monthly.items_sold <> daily.items_sold
    or monthly.new_customers <> daily.new_customers
    or monthly.late_orders <> daily.late_orders
    or monthly.gmv <> daily.month_to_date_gmv
    or monthly.order_count <> daily.monthly_orders
    or monthly.gmv <> daily.monthly_gmv
