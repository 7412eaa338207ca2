{{ config(materialized='table') }}

{#- An incremental model must never be built without this one, whatever part of the graph is selected. -#}
{{- depends_on(['stg_order_items', 'stg_order_payments', 'stg_order_reviews', 'stg_geolocation']) -}}

{%- set extent = extent_of_replacement() -%}

with orders as (
    select * from {{ ref('stg_orders') }}
),

customers as (
    select * from {{ ref('stg_customers') }}
),

{% if extent == 'changed' -%}
changed_orders as (
    {{ changed_values('order_id') }}
),

changed_customers as (
    {{ changed_values('customer_id') }}
),

changed_zip_codes as (
    {{ changed_values('geolocation_zip_code_prefix') }}
),

built as (
    {{ built_rows(models_by_order()[:2], ['order_id', 'customer_unique_id']) }}
),

touched_customers as (
    select customer_id from changed_customers

    union

    select customer_id
    from customers
    where customer_zip_code_prefix in (select geolocation_zip_code_prefix from changed_zip_codes)
),

touched_orders as (
    select order_id from changed_orders

    union

    select order_id
    from orders
    where customer_id in (select customer_id from touched_customers)
),

-- A person's orders are numbered, so an order that comes, goes or moves to another person touches all orders of its
-- person: of the one that it has now and of the one that it had when the models were last built.
touched_people as (
    select customer_unique_id
    from customers
    where customer_id in (
        select customer_id
        from orders
        where order_id in (select order_id from touched_orders)
    )

    union

    select customer_unique_id
    from built
    where order_id in (select order_id from touched_orders)
),

affected as (
    select order_id from touched_orders

    union

    select order_id
    from orders
    where customer_id in (
        select customer_id
        from customers
        where customer_unique_id in (select customer_unique_id from touched_people)
    )
),
{%- elif extent == 'all' -%}
affected as (
    select order_id from orders
    union
    select order_id from {{ ref('stg_order_items') }}
    union
    select order_id from {{ ref('stg_order_payments') }}
    union
    select order_id from {{ ref('stg_order_reviews') }}
    union
    select order_id from ({{ built_rows(models_by_order(), ['order_id']) }}) as built
),
{%- else -%}
affected as (
    select order_id from orders
    where false
),
{%- endif %}

final as (
    select order_id
    from affected
    where order_id is not null
)

select * from final
