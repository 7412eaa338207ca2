-- At each of its grains the delivery mart holds all orders' money and items; where no seller state splits an order,
-- all orders once; per lane, one row more for each further state an order is sent from.
with

orders as (

    select
        count(*) as order_count,
        sum(total_items) as items_sold,
        sum(total_price) as revenue,
        sum(total_freight) as freight,
        sum(total_amount) as gmv,
        count(case when is_late_delivery then order_id end) as late_orders

    from {{ ref('fact_orders') }}

),

legs as (

    select count(*) as extra_legs
    from (
        select distinct
            items.order_id,
            sellers.seller_state

        from {{ ref('fact_order_items') }} as items
        left join {{ ref('dim_seller') }} as sellers on items.seller_key = sellers.seller_key
        where items.order_date_key <> -1
    ) as order_states

),

orders_with_items as (

    select count(*) as order_count from {{ ref('fact_orders') }} where has_items

),

grains as (

    select
        grain,
        sum(order_count) as order_count,
        sum(items_sold) as items_sold,
        sum(revenue) as revenue,
        sum(freight) as freight,
        sum(gmv) as gmv,
        sum(late_orders) as late_orders

    from {{ ref('mart_delivery_metrics') }}
    group by grain

)

select grains.*

from grains
cross join orders
cross join legs
cross join orders_with_items
where
    grains.items_sold <> orders.items_sold
    or grains.revenue <> orders.revenue
    or grains.freight <> orders.freight
    or grains.gmv <> orders.gmv
    or case
        when grains.grain in ('total', 'month', 'customer_state', 'month_customer_state')
            then grains.order_count <> orders.order_count or grains.late_orders <> orders.late_orders
        else grains.order_count <> orders.order_count + legs.extra_legs - orders_with_items.order_count
    end
