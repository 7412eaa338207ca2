{#- The stages of an order. The first and the last are measured in fact_orders, the two between here. -#}
{% set stages_measured_here = [
    ('handle', 'order_approved_at', 'order_delivered_carrier_date'),
    ('transit', 'order_delivered_carrier_date', 'order_delivered_customer_date'),
] %}
{% set stages = ['approve', 'handle', 'transit', 'deliver'] %}

with

orders as (

    select * from {{ ref('fact_orders') }}

),

order_items as (

    select * from {{ ref('fact_order_items') }}

),

sellers as (

    select * from {{ ref('dim_seller') }}

),

-- a stage that ends before it starts is a fault of the data, not a duration
timed_orders as (

    select
        order_id,
        {{ month_of('order_purchase_timestamp') }} as order_month,
        coalesce(customer_state, 'unknown') as customer_state,
        is_delivered,
        {{ is_canceled('order_status') }} as is_canceled_order,
        is_late_delivery,
        delivery_vs_estimate,
        total_items,
        total_price,
        total_freight,
        total_amount,
        days_to_approve,
        {%- for stage, starts_at, ends_at in stages_measured_here %}
        case
            when {{ ends_at }} >= {{ starts_at }} then {{ days_between(starts_at, ends_at) }}
        end as days_to_{{ stage }},
        {%- endfor %}
        days_to_deliver,
        (
            order_approved_at < order_purchase_timestamp
            or order_delivered_carrier_date < order_approved_at
            or order_delivered_customer_date < order_delivered_carrier_date
            or order_delivered_customer_date < order_purchase_timestamp
        ) as has_stage_out_of_order

    from orders

),

items_by_seller_state as (

    select
        order_items.order_id,
        coalesce(sellers.seller_state, 'unknown') as seller_state,
        count(*) as items,
        sum(order_items.price) as price,
        sum(order_items.freight_value) as freight,
        sum(order_items.total_amount) as amount

    from order_items
    left join sellers on order_items.seller_key = sellers.seller_key
    group by order_items.order_id, coalesce(sellers.seller_state, 'unknown')

),

-- each order once for the totals over all sellers, and once for each state its items are sent from
order_legs as (

    select
        timed_orders.*,
        'all' as seller_state,
        timed_orders.total_items as leg_items,
        timed_orders.total_price as leg_revenue,
        timed_orders.total_freight as leg_freight,
        timed_orders.total_amount as leg_gmv

    from timed_orders

    union all

    select
        timed_orders.*,
        coalesce(items_by_seller_state.seller_state, 'none') as seller_state,
        coalesce(items_by_seller_state.items, 0) as leg_items,
        coalesce(items_by_seller_state.price, 0) as leg_revenue,
        coalesce(items_by_seller_state.freight, 0) as leg_freight,
        coalesce(items_by_seller_state.amount, 0) as leg_gmv

    from timed_orders
    left join items_by_seller_state on timed_orders.order_id = items_by_seller_state.order_id

),

measured as (

    select
        case when grouping(order_month) = 0 then order_month end as order_month,
        seller_state,
        case when grouping(customer_state) = 0 then customer_state else 'all' end as customer_state,

        count(*) as order_count,
        count(case when is_delivered then 1 end) as delivered_orders,
        count(case when is_canceled_order then 1 end) as canceled_orders,
        sum(leg_items) as items_sold,
        sum(leg_revenue) as revenue,
        sum(leg_freight) as freight,
        sum(leg_gmv) as gmv,

        count(case when is_late_delivery is not null then 1 end) as arrived_orders,
        count(case when is_late_delivery then 1 end) as late_orders,
        sum(case when is_late_delivery then delivery_vs_estimate end) as days_late_sum,
        count(delivery_vs_estimate) as compared_orders,
        sum(delivery_vs_estimate) as delivery_vs_estimate_sum,
        {{ percentiles_of('delivery_vs_estimate', [0.5, 0.9]) }} as delivery_vs_estimate_percentiles,
        count(case when has_stage_out_of_order then 1 end) as stage_out_of_order_orders
        {%- for stage in stages %},
        count(days_to_{{ stage }}) as {{ stage }}_orders,
        sum(days_to_{{ stage }}) as days_to_{{ stage }}_sum,
        {{ percentiles_of('days_to_' ~ stage, [0.5, 0.9]) }} as days_to_{{ stage }}_percentiles
        {%- endfor %}

    from order_legs
    group by grouping sets (
        (seller_state),
        (seller_state, customer_state),
        (seller_state, order_month),
        (seller_state, customer_state, order_month)
    )

),

final as (

    select
        {{ generate_surrogate_key(['order_month', 'seller_state', 'customer_state']) }} as delivery_metrics_key,
        cast(
            case
                when order_month is null and seller_state = 'all' and customer_state = 'all' then 'total'
                when order_month is null and seller_state = 'all' then 'customer_state'
                when order_month is null and customer_state = 'all' then 'seller_state'
                when order_month is null then 'lane'
                when seller_state = 'all' and customer_state = 'all' then 'month'
                when seller_state = 'all' then 'month_customer_state'
                when customer_state = 'all' then 'month_seller_state'
                else 'month_lane'
            end as string
        ) as grain,
        cast(order_month as date) as order_month,
        cast(seller_state as string) as seller_state,
        cast(customer_state as string) as customer_state,

        cast(order_count as bigint) as order_count,
        cast(delivered_orders as bigint) as delivered_orders,
        cast(canceled_orders as bigint) as canceled_orders,
        cast(items_sold as bigint) as items_sold,
        cast(revenue as decimal(18, 2)) as revenue,
        cast(freight as decimal(18, 2)) as freight,
        cast(gmv as decimal(18, 2)) as gmv,
        {{ money_ratio('freight', 'items_sold') }} as freight_per_item,

        cast(arrived_orders as bigint) as arrived_orders,
        cast(late_orders as bigint) as late_orders,
        cast({{ share_of('late_orders', 'arrived_orders') }} as double) as late_share,
        cast({{ share_of('days_late_sum', 'late_orders') }} as double) as avg_days_late,
        cast({{ share_of('delivery_vs_estimate_sum', 'compared_orders') }} as double) as avg_delivery_vs_estimate,
        cast({{ nth_percentile('delivery_vs_estimate_percentiles', 1) }} as double) as median_delivery_vs_estimate,
        cast({{ nth_percentile('delivery_vs_estimate_percentiles', 2) }} as double) as p90_delivery_vs_estimate,
        cast(stage_out_of_order_orders as bigint) as stage_out_of_order_orders
        {%- for stage in stages %},

        cast({{ stage }}_orders as bigint) as {{ stage }}_orders,
        cast({{ share_of('days_to_' ~ stage ~ '_sum', stage ~ '_orders') }} as double) as avg_days_to_{{ stage }},
        cast({{ nth_percentile('days_to_' ~ stage ~ '_percentiles', 1) }} as double) as median_days_to_{{ stage }},
        cast({{ nth_percentile('days_to_' ~ stage ~ '_percentiles', 2) }} as double) as p90_days_to_{{ stage }}
        {%- endfor %}

    from measured

)

select * from final
