{{ config(materialized='table') }}

{#- With every person that a version of theirs names, so that the metrics of these are at hand. -#}
{{- depends_on(['stg_geolocation']) -}}

{%- set extent = extent_of_replacement() -%}

with customers as (
    select * from {{ ref('stg_customers') }}
),

{% if extent == 'none' -%}
final as (
    select customer_id, customer_unique_id
    from customers
    where false
)
{%- else -%}
built as (
    {{ built_rows(['dim_customer'], [
        'customer_id', 'customer_unique_id', 'customer_zip_code_prefix', 'customer_segment', 'total_orders', 'total_spent',
        'last_order_date',
    ]) }}
),

{% if extent == 'changed' -%}
affected_orders as (
    select * from {{ ref('int_affected_orders') }}
),

built_orders as (
    {{ built_rows(models_by_order()[:2], ['order_id', 'customer_unique_id']) }}
),

changed_customers as (
    {{ changed_values('customer_id') }}
),

changed_zip_codes as (
    {{ changed_values('geolocation_zip_code_prefix') }}
),

-- Whose orders have come, gone or changed, or had when the models were last built.
touched_people as (
    select customer_unique_id
    from customers
    where customer_id in (
        select customer_id
        from {{ ref('stg_orders') }}
        where order_id in (select order_id from affected_orders)
    )

    union

    select customer_unique_id
    from built_orders
    where order_id in (select order_id from affected_orders)
),

-- A newer "now" moves people to other segments who have bought nothing.
affected as (
    select customer_id from changed_customers

    union

    select customer_id
    from built
    where
        customer_unique_id in (select customer_unique_id from touched_people)
        or customer_zip_code_prefix in (select geolocation_zip_code_prefix from changed_zip_codes)
        or (
            customer_segment <> 'unknown'
            and customer_segment <> {{ customer_segment(
                'total_orders', 'total_spent', days_between('last_order_date', as_of_date())
            ) }}
        )
),
{%- else -%}
affected as (
    select customer_id from customers
    union
    select customer_id from built
),
{%- endif %}

final as (
    select customer_id, customer_unique_id
    from customers
    where customer_id in (select customer_id from affected)

    union

    select customer_id, customer_unique_id
    from built
    where customer_id in (select customer_id from affected)

    union

    select customer_id, cast(null as {{ dbt.type_string() }}) as customer_unique_id
    from affected
)
{%- endif %}

select * from final
