with

order_items as (

    select * from {{ ref('fact_order_items') }}

),

orders as (

    select * from {{ ref('fact_orders') }}

),

sellers as (

    select * from {{ ref('dim_seller') }}

),

located_items as (

    select
        order_items.order_id,
        order_items.seller_id,
        order_items.customer_id,
        coalesce(sellers.seller_state, 'unknown') as seller_state,
        coalesce(order_items.customer_state, 'unknown') as customer_state,
        order_items.price,
        order_items.freight_value,
        order_items.total_amount

    from order_items
    left join sellers on order_items.seller_key = sellers.seller_key

),

item_measures as (

    select
        seller_state,
        customer_state,
        count(*) as items_sold,
        count(distinct seller_id) as sellers,
        sum(price) as revenue,
        sum(freight_value) as freight,
        sum(total_amount) as gmv

    from located_items
    group by seller_state, customer_state

),

-- the outcome of an order counts once for each lane it has items on
lane_orders as (

    select distinct
        seller_state,
        customer_state,
        order_id

    from located_items

),

order_measures as (

    select
        lane_orders.seller_state,
        lane_orders.customer_state,
        count(*) as order_count,
        count(distinct orders.customer_unique_id) as customers,
        count(case when orders.is_late_delivery is not null then 1 end) as arrived_orders,
        count(case when orders.is_late_delivery then 1 end) as late_orders,
        count(orders.days_to_deliver) as timed_orders,
        sum(orders.days_to_deliver) as days_to_deliver_sum

    from lane_orders
    left join orders on lane_orders.order_id = orders.order_id
    group by lane_orders.seller_state, lane_orders.customer_state

),

totalled as (

    select
        item_measures.*,
        order_measures.order_count,
        order_measures.customers,
        order_measures.arrived_orders,
        order_measures.late_orders,
        order_measures.timed_orders,
        order_measures.days_to_deliver_sum,
        sum(item_measures.gmv) over (partition by item_measures.seller_state) as gmv_of_seller_state,
        sum(item_measures.gmv) over (partition by item_measures.customer_state) as gmv_of_customer_state,
        row_number() over (
            order by item_measures.gmv desc, item_measures.seller_state, item_measures.customer_state
        ) as gmv_rank

    from item_measures
    inner join order_measures
        on item_measures.seller_state = order_measures.seller_state
        and item_measures.customer_state = order_measures.customer_state

),

final as (

    select
        {{ generate_surrogate_key(['seller_state', 'customer_state']) }} as state_flow_key,
        cast(seller_state as string) as seller_state,
        cast({{ region_of_state('seller_state') }} as string) as seller_region,
        cast(customer_state as string) as customer_state,
        cast({{ region_of_state('customer_state') }} as string) as customer_region,
        cast(seller_state = customer_state and seller_state <> 'unknown' as boolean) as is_same_state,
        cast(
            {{ region_of_state('seller_state') }} = {{ region_of_state('customer_state') }}
            and {{ region_of_state('seller_state') }} <> 'unknown' as boolean
        ) as is_same_region,

        cast(order_count as bigint) as order_count,
        cast(items_sold as bigint) as items_sold,
        cast(sellers as bigint) as sellers,
        cast(customers as bigint) as customers,

        cast(revenue as decimal(18, 2)) as revenue,
        cast(freight as decimal(18, 2)) as freight,
        cast(gmv as decimal(18, 2)) as gmv,
        cast({{ share_of('freight', 'gmv') }} as double) as freight_share,
        {{ money_ratio('freight', 'items_sold') }} as freight_per_item,
        cast({{ share_of('gmv', 'gmv_of_seller_state') }} as double) as share_of_seller_state,
        cast({{ share_of('gmv', 'gmv_of_customer_state') }} as double) as share_of_customer_state,
        cast(gmv_rank as bigint) as gmv_rank,

        cast(arrived_orders as bigint) as arrived_orders,
        cast(late_orders as bigint) as late_orders,
        cast({{ share_of('late_orders', 'arrived_orders') }} as double) as late_share,
        cast({{ share_of('days_to_deliver_sum', 'timed_orders') }} as double) as avg_days_to_deliver

    from totalled

)

select * from final
