with

customers as (

    select * from {{ ref('dim_customer') }}
    where is_current and customer_key <> '-1'

),

orders as (

    select * from {{ ref('fact_orders') }}

),

as_of as (

    select {{ as_of_date() }} as as_of_date

),

-- a person has one customer_id an order: show the address of the newest order
addresses as (

    select
        customers.*,
        row_number() over (
            partition by customers.customer_unique_id
            order by orders.order_purchase_timestamp desc nulls last, customers.customer_id desc
        ) as newest_first

    from customers
    left join orders on customers.customer_id = orders.customer_id

),

people as (

    select * from addresses
    where newest_first = 1

),

order_measures as (

    select
        customer_unique_id,
        count(*) as order_count,
        count(case when {{ is_canceled('order_status') }} then order_id end) as canceled_orders,
        min({{ day_of('order_purchase_timestamp') }}) as first_purchase_date,
        max({{ day_of('order_purchase_timestamp') }}) as last_purchase_date,
        sum(total_items) as items_bought,
        sum(total_amount) as gmv,
        sum(total_payment) as payments,
        sum(case when is_delivered then total_price else 0 end) as lifetime_revenue,
        sum(case when is_delivered then total_freight else 0 end) as lifetime_freight,
        count(review_score) as reviewed_orders,
        sum(review_score) as review_score_sum,
        count(case when is_late_delivery is not null then order_id end) as arrived_orders,
        count(case when is_late_delivery then order_id end) as late_orders

    from orders
    where customer_unique_id is not null
    group by customer_unique_id

),

buyers as (

    select
        people.customer_unique_id,
        {{ days_between('people.last_order_date', 'as_of.as_of_date') }} as recency_days,
        people.total_orders as frequency,
        people.total_spent as monetary

    from people
    cross join as_of
    where people.total_orders > 0

),

-- fifths of the buyers by rank: equal values share a score, the lower one where they straddle two fifths
scored as (

    select
        *,
        1 + floor(
            cast(5 * (rank() over (order by recency_days desc) - 1) as double) / count(*) over ()
        ) as recency_score,
        case when frequency >= 5 then 5 else frequency end as frequency_score,
        1 + floor(
            cast(5 * (rank() over (order by monetary) - 1) as double) / count(*) over ()
        ) as monetary_score

    from buyers

),

ranked as (

    select
        *,
        row_number() over (order by monetary desc, customer_unique_id) as lifetime_value_rank,
        sum(monetary) over (
            order by monetary desc, customer_unique_id rows between unbounded preceding and current row
        ) as cumulative_value,
        sum(monetary) over () as value_of_all

    from scored

),

final as (

    select
        cast(people.customer_unique_id as string) as customer_unique_id,
        cast(people.customer_zip_code_prefix as string) as customer_zip_code_prefix,
        cast(people.customer_city as string) as customer_city,
        cast(people.customer_state as string) as customer_state,
        cast(people.customer_region as string) as customer_region,

        cast(people.customer_segment as string) as customer_segment,
        cast(
            case
                when ranked.customer_unique_id is null then 'no_delivered_order'
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
        cast(ranked.recency_days as integer) as recency_days,
        cast(people.is_repeat_customer as boolean) as is_repeat_customer,

        cast(order_measures.first_purchase_date as date) as first_purchase_date,
        cast(order_measures.last_purchase_date as date) as last_purchase_date,
        cast({{ month_of('order_measures.first_purchase_date') }} as date) as cohort_month,
        cast(people.first_order_date as date) as first_order_date,
        cast(people.last_order_date as date) as last_order_date,

        cast(coalesce(order_measures.order_count, 0) as bigint) as order_count,
        cast(coalesce(people.total_orders, 0) as bigint) as delivered_orders,
        cast(coalesce(order_measures.canceled_orders, 0) as bigint) as canceled_orders,
        cast(coalesce(order_measures.items_bought, 0) as bigint) as items_bought,

        cast(coalesce(order_measures.gmv, 0) as decimal(18, 2)) as gmv,
        cast(coalesce(order_measures.payments, 0) as decimal(18, 2)) as payments,
        cast(coalesce(people.total_spent, 0) as decimal(18, 2)) as lifetime_value,
        cast(coalesce(order_measures.lifetime_revenue, 0) as decimal(18, 2)) as lifetime_revenue,
        cast(coalesce(order_measures.lifetime_freight, 0) as decimal(18, 2)) as lifetime_freight,
        cast(people.avg_order_value as decimal(18, 2)) as avg_order_value,
        cast(
            {{ share_of(days_between('people.first_order_date', 'people.last_order_date'), 'people.total_orders - 1') }}
            as double
        ) as avg_days_between_orders,
        cast(ranked.lifetime_value_rank as bigint) as lifetime_value_rank,
        cast({{ share_of('ranked.cumulative_value', 'ranked.value_of_all') }} as double)
            as lifetime_value_cumulative_share,

        cast(coalesce(order_measures.reviewed_orders, 0) as bigint) as reviewed_orders,
        cast({{ share_of('order_measures.review_score_sum', 'order_measures.reviewed_orders') }} as double)
            as avg_review_score,
        cast(coalesce(order_measures.arrived_orders, 0) as bigint) as arrived_orders,
        cast(coalesce(order_measures.late_orders, 0) as bigint) as late_orders

    from people
    left join order_measures on people.customer_unique_id = order_measures.customer_unique_id
    left join ranked on people.customer_unique_id = ranked.customer_unique_id

)

select * from final
