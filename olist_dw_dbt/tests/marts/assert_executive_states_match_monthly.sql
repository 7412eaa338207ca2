-- Every month of the executive mart is the sum of its states.
with

states as (

    select
        year_month,
        sum(order_count) as order_count,
        sum(orders_with_items) as orders_with_items,
        sum(delivered_orders) as delivered_orders,
        sum(canceled_orders) as canceled_orders,
        sum(gmv) as gmv,
        sum(delivered_gmv) as delivered_gmv,
        sum(revenue) as revenue,
        sum(freight) as freight,
        sum(payments) as payments,
        sum(items_sold) as items_sold,
        sum(new_customers) as new_customers,
        sum(reviewed_orders) as reviewed_orders,
        sum(review_score_sum) as review_score_sum,
        sum(arrived_orders) as arrived_orders,
        sum(late_orders) as late_orders

    from {{ ref('mart_executive_state_monthly') }}
    group by year_month

)

select
    monthly.year_month as mart_month,
    states.year_month as states_month

from {{ ref('mart_executive_monthly') }} as monthly
full outer join states on monthly.year_month = states.year_month
where
    monthly.year_month is null
    or monthly.order_count <> coalesce(states.order_count, 0)
    or monthly.orders_with_items <> coalesce(states.orders_with_items, 0)
    or monthly.delivered_orders <> coalesce(states.delivered_orders, 0)
    or monthly.canceled_orders <> coalesce(states.canceled_orders, 0)
    or monthly.gmv <> coalesce(states.gmv, 0)
    or monthly.delivered_gmv <> coalesce(states.delivered_gmv, 0)
    or monthly.revenue <> coalesce(states.revenue, 0)
    or monthly.freight <> coalesce(states.freight, 0)
    or monthly.payments <> coalesce(states.payments, 0)
    or monthly.items_sold <> coalesce(states.items_sold, 0)
    or monthly.new_customers <> coalesce(states.new_customers, 0)
    or monthly.reviewed_orders <> coalesce(states.reviewed_orders, 0)
    or round(monthly.avg_review_score * monthly.reviewed_orders) <> states.review_score_sum
    or monthly.arrived_orders <> coalesce(states.arrived_orders, 0)
    or monthly.late_orders <> coalesce(states.late_orders, 0)
