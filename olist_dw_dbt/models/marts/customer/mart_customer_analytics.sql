with

as_of as (

    select {{ as_of_date() }} as as_of_date

),

metrics as (

    select * from {{ ref('int_customer_metrics') }}

),

customers as (

    select * from {{ ref('dim_customer') }}
    where is_current and customer_key <> '-1'

),

-- people whose record is bad: history keeps them until it is decided about
undecided as (

    select max(customer_id) as customer_id
    from customers
    where customer_unique_id not in (select customer_unique_id from metrics)
    group by customer_unique_id

),

-- a person has one customer_id an order: that of the newest one, or any where no order has arrived; its current version
-- is of the same person, for both come of the same record
described as (

    select
        customers.customer_unique_id,
        customers.customer_zip_code_prefix,
        customers.customer_city,
        customers.customer_state,
        customers.customer_region,
        customers.customer_segment,
        customers.first_order_date,
        customers.last_order_date,
        customers.total_orders,
        customers.total_spent,
        customers.avg_order_value,
        customers.is_repeat_customer,
        customers.total_orders > 0 as is_buyer,
        {{ days_between('customers.last_order_date', 'as_of.as_of_date') }} as recency_days,
        metrics.order_count,
        metrics.canceled_orders,
        metrics.first_purchase_date,
        metrics.last_purchase_date,
        metrics.items_bought,
        metrics.gmv,
        metrics.payments,
        metrics.lifetime_revenue,
        metrics.lifetime_freight,
        metrics.reviewed_orders,
        metrics.review_score_sum,
        metrics.arrived_orders,
        metrics.late_orders

    from customers
    left join metrics on customers.customer_id = metrics.customer_id
    cross join as_of
    where metrics.customer_id is not null or customers.customer_id in (select customer_id from undecided)

),

-- fifths of the buyers by rank: equal values share a score, the lower one where they straddle two fifths; apart from
-- the rest of their columns, since to sort whole rows takes twice as long as to join the ranks
ranked as (

    select
        customer_unique_id,
        1 + floor(cast(5 * (rank() over (order by recency_days desc) - 1) as double) / count(*) over ())
            as recency_score,
        case when total_orders >= 5 then 5 else total_orders end as frequency_score,
        1 + floor(cast(5 * (rank() over (order by total_spent) - 1) as double) / count(*) over ()) as monetary_score,
        row_number() over (order by total_spent desc, customer_unique_id) as lifetime_value_rank,
        sum(total_spent) over (
            order by total_spent desc, customer_unique_id
            rows between unbounded preceding and current row
        ) as cumulative_value,
        sum(total_spent) over () as value_of_all

    from described
    where is_buyer

),

final as (

    select
        cast(described.customer_unique_id as string) as customer_unique_id,
        cast(described.customer_zip_code_prefix as string) as customer_zip_code_prefix,
        cast(described.customer_city as string) as customer_city,
        cast(described.customer_state as string) as customer_state,
        cast(described.customer_region as string) as customer_region,

        cast(described.customer_segment as string) as customer_segment,
        cast(
            case
                when not described.is_buyer then 'no_delivered_order'
                when frequency_score >= 2 and recency_score >= 4 and monetary_score >= 4 then 'champion'
                when frequency_score >= 2 and recency_score >= 3 then 'loyal'
                when frequency_score >= 2 then 'at_risk'
                when recency_score >= 4 and monetary_score >= 4 then 'promising'
                when recency_score >= 4 then 'recent'
                when recency_score = 3 then 'needs_attention'
                when monetary_score >= 4 then 'lapsed_high_value'
                else 'lapsed'
            end as string
        ) as rfm_segment,
        cast(ranked.recency_score as integer) as recency_score,
        cast(ranked.frequency_score as integer) as frequency_score,
        cast(ranked.monetary_score as integer) as monetary_score,
        cast(case when described.is_buyer then described.recency_days end as integer) as recency_days,
        cast(described.is_repeat_customer as boolean) as is_repeat_customer,

        cast(described.first_purchase_date as date) as first_purchase_date,
        cast(described.last_purchase_date as date) as last_purchase_date,
        cast({{ month_of('described.first_purchase_date') }} as date) as cohort_month,
        cast(described.first_order_date as date) as first_order_date,
        cast(described.last_order_date as date) as last_order_date,

        cast(coalesce(described.order_count, 0) as bigint) as order_count,
        cast(coalesce(described.total_orders, 0) as bigint) as delivered_orders,
        cast(coalesce(described.canceled_orders, 0) as bigint) as canceled_orders,
        cast(coalesce(described.items_bought, 0) as bigint) as items_bought,

        cast(coalesce(described.gmv, 0) as decimal(18, 2)) as gmv,
        cast(coalesce(described.payments, 0) as decimal(18, 2)) as payments,
        cast(coalesce(described.total_spent, 0) as decimal(18, 2)) as lifetime_value,
        cast(coalesce(described.lifetime_revenue, 0) as decimal(18, 2)) as lifetime_revenue,
        cast(coalesce(described.lifetime_freight, 0) as decimal(18, 2)) as lifetime_freight,
        cast(described.avg_order_value as decimal(18, 2)) as avg_order_value,
        cast(
            {{ share_of(
                days_between('described.first_order_date', 'described.last_order_date'), 'described.total_orders - 1'
            ) }}
            as double
        ) as avg_days_between_orders,
        cast(ranked.lifetime_value_rank as bigint) as lifetime_value_rank,
        cast({{ share_of('ranked.cumulative_value', 'ranked.value_of_all') }} as double)
            as lifetime_value_cumulative_share,

        cast(coalesce(described.reviewed_orders, 0) as bigint) as reviewed_orders,
        cast({{ share_of('described.review_score_sum', 'described.reviewed_orders') }} as double)
            as avg_review_score,
        cast(coalesce(described.arrived_orders, 0) as bigint) as arrived_orders,
        cast(coalesce(described.late_orders, 0) as bigint) as late_orders

    from described
    left join ranked on described.customer_unique_id = ranked.customer_unique_id

)

select * from final
