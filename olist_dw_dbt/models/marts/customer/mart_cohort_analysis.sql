with

orders as (

    select
        *,
        {{ month_of('order_purchase_timestamp') }} as order_month,
        {{ is_of_repeat_customer() }} as is_of_repeat_customer

    from {{ ref('fact_orders') }}
    where customer_unique_id is not null

),

months as (

    select * from {{ ref('mart_executive_monthly') }}

),

-- a person belongs to the month of the first order, whatever became of it
first_orders as (

    select
        *,
        order_month as cohort_month

    from orders
    where is_first_order

),

further_orders as (

    select
        orders.*,
        first_orders.cohort_month

    from orders
    inner join first_orders on orders.customer_unique_id = first_orders.customer_unique_id
    where not orders.is_first_order

),

orders_of_cohorts as (

    select * from first_orders
    union all
    select * from further_orders

),

cohorts as (

    select
        first_orders.cohort_month,
        months.is_complete_month as is_complete_cohort,
        count(*) as cohort_size

    from first_orders
    inner join months on first_orders.cohort_month = months.month_start_date
    group by first_orders.cohort_month, months.is_complete_month

),

-- every cohort in every month from its first to the last one loaded, active or not
grid as (

    select
        cohorts.*,
        months.month_start_date as activity_month,
        months.is_complete_month as is_complete_activity_month

    from cohorts
    inner join months on cohorts.cohort_month <= months.month_start_date

),

activity as (

    select
        cohort_month,
        order_month as activity_month,
        count(*) as order_count,
        count(case when not is_first_order then 1 end) as repeat_orders,
        {{ count_distinct('customer_unique_id', 'is_of_repeat_customer') }} as active_customers,
        count(distinct case when not is_first_order then customer_unique_id end) as reordering_customers,
        sum(total_price) as revenue,
        sum(total_amount) as gmv

    from orders_of_cohorts
    group by cohort_month, order_month

),

joined as (

    select
        grid.cohort_month,
        grid.activity_month,
        {{ dbt.datediff('grid.cohort_month', 'grid.activity_month', 'month') }} as months_since_first_order,
        grid.is_complete_cohort,
        grid.is_complete_activity_month,
        grid.cohort_size,
        coalesce(activity.active_customers, 0) as active_customers,
        coalesce(activity.reordering_customers, 0) as reordering_customers,
        coalesce(activity.order_count, 0) as order_count,
        coalesce(activity.repeat_orders, 0) as repeat_orders,
        coalesce(activity.revenue, 0) as revenue,
        coalesce(activity.gmv, 0) as gmv

    from grid
    left join activity
        on grid.cohort_month = activity.cohort_month
        and grid.activity_month = activity.activity_month

),

cumulated as (

    select
        *,
        sum(order_count) over (
            partition by cohort_month order by activity_month rows between unbounded preceding and current row
        ) as cumulative_orders,
        sum(revenue) over (
            partition by cohort_month order by activity_month rows between unbounded preceding and current row
        ) as cumulative_revenue,
        sum(gmv) over (
            partition by cohort_month order by activity_month rows between unbounded preceding and current row
        ) as cumulative_gmv

    from joined

),

final as (

    select
        {{ generate_surrogate_key(['cohort_month', 'months_since_first_order']) }} as cohort_key,
        cast(cohort_month as date) as cohort_month,
        cast(months_since_first_order as integer) as months_since_first_order,
        cast(activity_month as date) as activity_month,
        cast(is_complete_cohort as boolean) as is_complete_cohort,
        cast(is_complete_activity_month as boolean) as is_complete_activity_month,

        cast(cohort_size as bigint) as cohort_size,
        cast(active_customers as bigint) as active_customers,
        cast({{ share_of('active_customers', 'cohort_size') }} as double) as retention_share,
        cast(reordering_customers as bigint) as reordering_customers,
        cast({{ share_of('reordering_customers', 'cohort_size') }} as double) as reordering_share,

        cast(order_count as bigint) as order_count,
        cast(repeat_orders as bigint) as repeat_orders,
        cast(revenue as decimal(18, 2)) as revenue,
        cast(gmv as decimal(18, 2)) as gmv,

        cast(cumulative_orders as bigint) as cumulative_orders,
        cast(cumulative_revenue as decimal(18, 2)) as cumulative_revenue,
        cast(cumulative_gmv as decimal(18, 2)) as cumulative_gmv,
        {{ money_ratio('cumulative_revenue', 'cohort_size') }} as cumulative_revenue_per_customer,
        {{ money_ratio('cumulative_gmv', 'cohort_size') }} as cumulative_gmv_per_customer

    from cumulated

)

select * from final
