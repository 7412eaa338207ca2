{{ config(materialized='table') }}

{#- Whatever changes one of these changes which orders are affected. -#}
-- depends_on: {{ ref('stg_order_items') }}, {{ ref('stg_order_payments') }}, {{ ref('stg_order_reviews') }}, {{ ref('stg_geolocation') }}

with orders as (
    select * from {{ ref('stg_orders') }}
),

customers as (
    select * from {{ ref('stg_customers') }}
),

persons_now as (
    select
        orders.order_id,
        customers.customer_unique_id
    from orders
    inner join customers on orders.customer_id = customers.customer_id
),

persons_before as (
    {{ orders_of_last_run() }}
),

changed_customers as (
    {{ changed_values('customers', 'customer_id') }}

    union

    select customer_id
    from customers
    where customer_zip_code_prefix in ({{ changed_values('geolocation', 'geolocation_zip_code_prefix') }})
),

touched as (
    {{ changed_values('orders', 'order_id') }}
    union
    {{ changed_values('order_items', 'order_id') }}
    union
    {{ changed_values('order_payments', 'order_id') }}
    union
    {{ changed_values('order_reviews', 'order_id') }}
    union
    select order_id
    from orders
    where customer_id in (select customer_id from changed_customers)
),

-- Orders are numbered by person: what happens to one of them may number the others anew.
persons as (
    select customer_unique_id
    from persons_now
    where order_id in (select order_id from touched)

    union

    select customer_unique_id
    from persons_before
    where order_id in (select order_id from touched)
),

final as (
    select order_id from touched

    union

    select order_id
    from persons_now
    where customer_unique_id in (select customer_unique_id from persons)

    union

    select order_id
    from persons_before
    where customer_unique_id in (select customer_unique_id from persons)
)

select order_id from final
where order_id is not null
