-- What no delivery may break. The stages that the public data has out of order are counted against their baseline
-- in models/core/facts/_facts.yml.
with orders as (
    select * from {{ ref('fact_orders') }}
),

customers as (
    select * from {{ ref('dim_customer') }}
),

products as (
    select * from {{ ref('dim_product') }}
),

sellers as (
    select * from {{ ref('dim_seller') }}
),

dates as (
    select * from {{ ref('dim_date') }}
),

broken as (
    select 'approved before the purchase' as rule, order_id as id
    from orders
    where order_approved_at < order_purchase_timestamp

    union all

    select 'delivered before the purchase' as rule, order_id as id
    from orders
    where order_delivered_customer_date < order_purchase_timestamp

    union all

    select 'promised before the day of the purchase' as rule, order_id as id
    from orders
    where cast(order_estimated_delivery_date as date) < cast(order_purchase_timestamp as date)

    union all

    select 'first order after the last' as rule, customer_id as id
    from customers
    where first_order_date > last_order_date

    union all

    select 'first sale after the last' as rule, product_id as id
    from products
    where first_sold_date > last_sold_date

    union all

    select 'first sale after the last' as rule, seller_id as id
    from sellers
    where first_sold_date > last_sold_date

    union all

    select 'calendar has a gap between its bounds' as rule, 'dim_date' as id
    from dates
    where full_date between cast('2016-01-01' as date) and cast('2020-12-31' as date)
    having count(*) <> 1827
)

select * from broken
