-- First and last days of the dimensions, and the calendar. The stages of an order are rules: models/quality/_rules.yml.
with customers as (
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
