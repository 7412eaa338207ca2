{#- A table: dim_customer and mart_customer_analytics read it, and a delivery touches few people. -#}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_affected',
        on_schema_change='fail',
        meta={'affected_by': 'int_affected_customers', 'affected_key': 'customer_unique_id'}
    )
}}

with customers as (
    select * from {{ ref('stg_customers') }}
    {{ only_affected('int_affected_customers', 'customer_unique_id') }}
),

orders as (
    select
        *,
        {{ day_of('order_purchase_timestamp') }} as order_date
    from {{ ref('int_order_enriched') }}
    {{ only_affected('int_affected_customers', 'customer_unique_id') }}
),

people as (
    select
        customer_unique_id,
        max(customer_id) as customer_id
    from customers
    where customer_unique_id is not null
    group by customer_unique_id
),

ordered as (
    select
        customer_unique_id,
        max_by(customer_id, customer_order_number) as customer_id,
        min(order_date) as first_purchase_date,
        max(order_date) as last_purchase_date,
        count(*) as order_count,
        {{- order_outcomes() }},
        sum(total_items) as items_bought,
        sum(total_amount) as gmv,
        sum(total_payment) as payments,
        min(case when is_delivered then order_date end) as first_order_date,
        max(case when is_delivered then order_date end) as last_order_date,
        sum(case when is_delivered then total_amount end) as total_spent,
        sum(case when is_delivered then total_price end) as lifetime_revenue,
        sum(case when is_delivered then total_freight end) as lifetime_freight
    from orders
    group by customer_unique_id
),

measured as (
    select
        people.customer_unique_id,
        coalesce(ordered.customer_id, people.customer_id) as customer_id,
        ordered.first_order_date,
        ordered.last_order_date,
        cast(coalesce(ordered.delivered_orders, 0) as integer) as total_orders,
        cast(coalesce(ordered.total_spent, 0) as decimal(18, 2)) as total_spent,
        cast(coalesce(ordered.lifetime_revenue, 0) as decimal(18, 2)) as lifetime_revenue,
        cast(coalesce(ordered.lifetime_freight, 0) as decimal(18, 2)) as lifetime_freight,

        ordered.first_purchase_date,
        ordered.last_purchase_date,
        cast(coalesce(ordered.order_count, 0) as integer) as order_count,
        cast(coalesce(ordered.canceled_orders, 0) as integer) as canceled_orders,
        cast(coalesce(ordered.items_bought, 0) as integer) as items_bought,
        cast(coalesce(ordered.gmv, 0) as decimal(18, 2)) as gmv,
        cast(coalesce(ordered.payments, 0) as decimal(18, 2)) as payments,
        cast(coalesce(ordered.reviewed_orders, 0) as integer) as reviewed_orders,
        cast(coalesce(ordered.review_score_sum, 0) as integer) as review_score_sum,
        cast(coalesce(ordered.arrived_orders, 0) as integer) as arrived_orders,
        cast(coalesce(ordered.late_orders, 0) as integer) as late_orders
    from people
    left join ordered on people.customer_unique_id = ordered.customer_unique_id
),

final as (
    select
        *,
        {{ money_ratio('total_spent', 'total_orders') }} as avg_order_value,
        total_orders >= 2 as is_repeat_customer,
        {{ customer_segment(
            'total_orders', 'total_spent', days_between('last_order_date', as_of_date())
        ) }} as customer_segment
    from measured
)

select * from final
