with

orders as (

    select
        *,
        coalesce(customer_state, 'unknown') as state,
        {{ region_of_state('customer_state') }} as region,
        {{ is_of_repeat_customer() }} as is_of_repeat_customer

    from {{ ref('fact_orders') }}

),

sellers as (

    select
        *,
        coalesce(seller_state, 'unknown') as state,
        {{ region_of_state('seller_state') }} as region

    from {{ ref('dim_seller') }}

),

order_items as (

    select
        order_items.*,
        coalesce(sellers.state, 'unknown') as state,
        coalesce(sellers.region, 'unknown') as region,
        {{ is_of_several_items() }} as is_of_several_items

    from {{ ref('fact_order_items') }} as order_items
    left join sellers on order_items.seller_key = sellers.seller_key

),

flows as (

    select * from {{ ref('mart_state_flows') }}

),

-- what people of the area bought; grouped at each level, so that a person is counted once wherever shown
bought as (

    select
        case when grouping(state) = 0 then 'state' when grouping(region) = 0 then 'region' else 'country' end
            as area_level,
        case when grouping(state) = 0 then state when grouping(region) = 0 then region else 'Brasil' end as area,
        {{- order_measures() }},
        sum(total_items) as items_bought,
        {{ count_distinct('customer_unique_id', 'is_of_repeat_customer') }} as customers,
        count(distinct case when not is_first_order then customer_unique_id end) as reordering_customers,
        count(days_to_deliver) as timed_orders,
        sum(days_to_deliver) as days_to_deliver_sum,
        {{ percentiles_of('days_to_deliver', [0.5, 0.9]) }} as days_to_deliver_percentiles

    from orders
    group by grouping sets ((region, state), (region), ())
    having count(*) > 0

),

-- what sellers of the area sold
sold as (

    select
        case when grouping(state) = 0 then 'state' when grouping(region) = 0 then 'region' else 'country' end
            as area_level,
        case when grouping(state) = 0 then state when grouping(region) = 0 then region else 'Brasil' end as area,
        count(distinct seller_id) as active_sellers,
        {{ count_distinct('order_id', 'is_of_several_items') }} as orders_sold,
        count(*) as items_sold,
        sum(price) as sold_revenue,
        sum(total_amount) as sold_gmv

    from order_items
    group by grouping sets ((region, state), (region), ())
    having count(*) > 0

),

registered as (

    select
        case when grouping(state) = 0 then 'state' when grouping(region) = 0 then 'region' else 'country' end
            as area_level,
        case when grouping(state) = 0 then state when grouping(region) = 0 then region else 'Brasil' end as area,
        count(*) as registered_sellers

    from sellers
    where is_current and seller_key <> '-1'
    group by grouping sets ((region, state), (region), ())
    having count(*) > 0

),

-- what stayed within the area: seller and buyer both live in it
stayed as (

    select
        'state' as area_level,
        customer_state as area,
        sum(gmv) as local_gmv

    from flows
    where is_same_state
    group by customer_state

    union all

    select
        'region' as area_level,
        customer_region as area,
        sum(gmv) as local_gmv

    from flows
    where is_same_region
    group by customer_region

    union all

    select
        'country' as area_level,
        'Brasil' as area,
        sum(gmv) as local_gmv

    from flows
    where seller_state <> 'unknown' and customer_state <> 'unknown'

),

areas as (

    select area_level, area from bought
    union distinct
    select area_level, area from sold
    union distinct
    select area_level, area from registered

),

joined as (

    select
        areas.area_level,
        areas.area,
        case
            when areas.area_level = 'state' then {{ region_of_state('areas.area') }}
            when areas.area_level = 'region' then areas.area
        end as region,
        coalesce(bought.order_count, 0) as order_count,
        coalesce(bought.orders_with_items, 0) as orders_with_items,
        coalesce(bought.delivered_orders, 0) as delivered_orders,
        coalesce(bought.canceled_orders, 0) as canceled_orders,
        coalesce(bought.items_bought, 0) as items_bought,
        coalesce(bought.revenue, 0) as revenue,
        coalesce(bought.freight, 0) as freight,
        coalesce(bought.gmv, 0) as gmv,
        coalesce(bought.delivered_gmv, 0) as delivered_gmv,
        coalesce(bought.payments, 0) as payments,
        coalesce(bought.customers, 0) as customers,
        coalesce(bought.reordering_customers, 0) as reordering_customers,
        coalesce(bought.reviewed_orders, 0) as reviewed_orders,
        bought.review_score_sum,
        coalesce(bought.arrived_orders, 0) as arrived_orders,
        coalesce(bought.late_orders, 0) as late_orders,
        bought.timed_orders,
        bought.days_to_deliver_sum,
        bought.days_to_deliver_percentiles,
        coalesce(registered.registered_sellers, 0) as registered_sellers,
        coalesce(sold.active_sellers, 0) as active_sellers,
        coalesce(sold.orders_sold, 0) as orders_sold,
        coalesce(sold.items_sold, 0) as items_sold,
        coalesce(sold.sold_revenue, 0) as sold_revenue,
        coalesce(sold.sold_gmv, 0) as sold_gmv,
        coalesce(stayed.local_gmv, 0) as local_gmv

    from areas
    left join bought on areas.area_level = bought.area_level and areas.area = bought.area
    left join sold on areas.area_level = sold.area_level and areas.area = sold.area
    left join registered on areas.area_level = registered.area_level and areas.area = registered.area
    left join stayed on areas.area_level = stayed.area_level and areas.area = stayed.area

),

ranked as (

    select
        *,
        sum(case when area_level = 'country' then gmv end) over () as country_gmv,
        row_number() over (partition by area_level order by gmv desc, area) as gmv_rank

    from joined

),

final as (

    select
        {{ generate_surrogate_key(['area_level', 'area']) }} as area_key,
        cast(area_level as string) as area_level,
        cast(area as string) as area,
        cast(region as string) as region,

        cast(order_count as bigint) as order_count,
        cast(orders_with_items as bigint) as orders_with_items,
        cast(delivered_orders as bigint) as delivered_orders,
        cast(canceled_orders as bigint) as canceled_orders,
        cast({{ share_of('canceled_orders', 'order_count') }} as double) as cancellation_share,
        cast(items_bought as bigint) as items_bought,

        cast(revenue as decimal(18, 2)) as revenue,
        cast(freight as decimal(18, 2)) as freight,
        cast(gmv as decimal(18, 2)) as gmv,
        cast(delivered_gmv as decimal(18, 2)) as delivered_gmv,
        cast(payments as decimal(18, 2)) as payments,
        {{ money_ratio('gmv', 'orders_with_items') }} as avg_order_value,
        cast({{ share_of('freight', 'gmv') }} as double) as freight_share,
        cast({{ share_of('gmv', 'country_gmv') }} as double) as gmv_share,
        cast(gmv_rank as bigint) as gmv_rank,

        cast(customers as bigint) as customers,
        cast(reordering_customers as bigint) as reordering_customers,
        cast({{ share_of('reordering_customers', 'customers') }} as double) as reordering_share,
        cast(reviewed_orders as bigint) as reviewed_orders,
        cast({{ share_of('review_score_sum', 'reviewed_orders') }} as double) as avg_review_score,

        cast(arrived_orders as bigint) as arrived_orders,
        cast(late_orders as bigint) as late_orders,
        cast({{ share_of('late_orders', 'arrived_orders') }} as double) as late_share,
        cast({{ share_of('days_to_deliver_sum', 'timed_orders') }} as double) as avg_days_to_deliver,
        cast({{ nth_percentile('days_to_deliver_percentiles', 1) }} as double) as median_days_to_deliver,
        cast({{ nth_percentile('days_to_deliver_percentiles', 2) }} as double) as p90_days_to_deliver,

        cast(registered_sellers as bigint) as registered_sellers,
        cast(active_sellers as bigint) as active_sellers,
        cast(orders_sold as bigint) as orders_sold,
        cast(items_sold as bigint) as items_sold,
        cast(sold_revenue as decimal(18, 2)) as sold_revenue,
        cast(sold_gmv as decimal(18, 2)) as sold_gmv,

        cast(local_gmv as decimal(18, 2)) as local_gmv,
        cast(gmv - local_gmv as decimal(18, 2)) as inbound_gmv,
        cast(sold_gmv - local_gmv as decimal(18, 2)) as outbound_gmv,
        cast(sold_gmv - gmv as decimal(18, 2)) as net_outbound_gmv,
        cast({{ share_of('local_gmv', 'gmv') }} as double) as local_supply_share

    from ranked

)

select * from final
