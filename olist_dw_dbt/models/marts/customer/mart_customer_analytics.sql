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

order_measures as (

    select
        customer_unique_id,
        max_by(customer_id, customer_order_number) as newest_customer_id,
        count(*) as order_count,
        count(case when {{ is_canceled('order_status') }} then 1 end) as canceled_orders,
        min({{ day_of('order_purchase_timestamp') }}) as first_purchase_date,
        max({{ day_of('order_purchase_timestamp') }}) as last_purchase_date,
        sum(total_items) as items_bought,
        sum(total_amount) as gmv,
        sum(total_payment) as payments,
        sum(case when is_delivered then total_price else 0 end) as lifetime_revenue,
        sum(case when is_delivered then total_freight else 0 end) as lifetime_freight,
        count(review_score) as reviewed_orders,
        sum(review_score) as review_score_sum,
        count(case when is_late_delivery is not null then 1 end) as arrived_orders,
        count(case when is_late_delivery then 1 end) as late_orders

    from orders
    where customer_unique_id is not null
    group by customer_unique_id

),

-- a person has one customer_id an order: show the address of the newest order
addresses as (

    select customers.*
    from customers
    inner join order_measures on customers.customer_id = order_measures.newest_customer_id

    union all

    -- of a person whose orders have not arrived the address of any
    select *
    from customers
    where customer_unique_id not in (select customer_unique_id from order_measures)
    qualify row_number() over (partition by customer_unique_id order by customer_id desc) = 1

),

people as (

    select
        addresses.*,
        addresses.total_orders > 0 as is_buyer,
        {{ days_between('addresses.last_order_date', 'as_of.as_of_date') }} as recency_days

    from addresses
    cross join as_of

),

-- fifths of the buyers by rank: equal values share a score, the lower one where they straddle two fifths
ranked as (

    select
        *,
        1 + floor(
            cast(5 * (rank() over (partition by is_buyer order by recency_days desc) - 1) as double)
            / count(*) over (partition by is_buyer)
        ) as recency_score,
        case when total_orders >= 5 then 5 else total_orders end as frequency_score,
        1 + floor(
            cast(5 * (rank() over (partition by is_buyer order by total_spent) - 1) as double)
            / count(*) over (partition by is_buyer)
        ) as monetary_score,
        row_number() over (partition by is_buyer order by total_spent desc, customer_unique_id) as lifetime_value_rank,
        sum(total_spent) over (
            partition by is_buyer
            order by total_spent desc, customer_unique_id
            rows between unbounded preceding and current row
        ) as cumulative_value,
        sum(total_spent) over (partition by is_buyer) as value_of_all

    from people

),

final as (

    select
        cast(ranked.customer_unique_id as string) as customer_unique_id,
        cast(ranked.customer_zip_code_prefix as string) as customer_zip_code_prefix,
        cast(ranked.customer_city as string) as customer_city,
        cast(ranked.customer_state as string) as customer_state,
        cast(ranked.customer_region as string) as customer_region,

        cast(ranked.customer_segment as string) as customer_segment,
        cast(
            case
                when not is_buyer then 'no_delivered_order'
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
        cast(case when is_buyer then ranked.recency_score end as integer) as recency_score,
        cast(case when is_buyer then ranked.frequency_score end as integer) as frequency_score,
        cast(case when is_buyer then ranked.monetary_score end as integer) as monetary_score,
        cast(case when is_buyer then ranked.recency_days end as integer) as recency_days,
        cast(ranked.is_repeat_customer as boolean) as is_repeat_customer,

        cast(order_measures.first_purchase_date as date) as first_purchase_date,
        cast(order_measures.last_purchase_date as date) as last_purchase_date,
        cast({{ month_of('order_measures.first_purchase_date') }} as date) as cohort_month,
        cast(ranked.first_order_date as date) as first_order_date,
        cast(ranked.last_order_date as date) as last_order_date,

        cast(coalesce(order_measures.order_count, 0) as bigint) as order_count,
        cast(coalesce(ranked.total_orders, 0) as bigint) as delivered_orders,
        cast(coalesce(order_measures.canceled_orders, 0) as bigint) as canceled_orders,
        cast(coalesce(order_measures.items_bought, 0) as bigint) as items_bought,

        cast(coalesce(order_measures.gmv, 0) as decimal(18, 2)) as gmv,
        cast(coalesce(order_measures.payments, 0) as decimal(18, 2)) as payments,
        cast(coalesce(ranked.total_spent, 0) as decimal(18, 2)) as lifetime_value,
        cast(coalesce(order_measures.lifetime_revenue, 0) as decimal(18, 2)) as lifetime_revenue,
        cast(coalesce(order_measures.lifetime_freight, 0) as decimal(18, 2)) as lifetime_freight,
        cast(ranked.avg_order_value as decimal(18, 2)) as avg_order_value,
        cast(
            {{ share_of(days_between('ranked.first_order_date', 'ranked.last_order_date'), 'ranked.total_orders - 1') }}
            as double
        ) as avg_days_between_orders,
        cast(case when is_buyer then ranked.lifetime_value_rank end as bigint) as lifetime_value_rank,
        cast(case when is_buyer then {{ share_of('ranked.cumulative_value', 'ranked.value_of_all') }} end as double)
            as lifetime_value_cumulative_share,

        cast(coalesce(order_measures.reviewed_orders, 0) as bigint) as reviewed_orders,
        cast({{ share_of('order_measures.review_score_sum', 'order_measures.reviewed_orders') }} as double)
            as avg_review_score,
        cast(coalesce(order_measures.arrived_orders, 0) as bigint) as arrived_orders,
        cast(coalesce(order_measures.late_orders, 0) as bigint) as late_orders

    from ranked
    left join order_measures on ranked.customer_unique_id = order_measures.customer_unique_id

)

select * from final
