{#- A table: three models and the marts read it, and unit tests can set it. -#}
{{ config(materialized='table') }}

with orders as (
    select * from {{ ref('stg_orders') }}
),

final as (
    select
        {%- if var('as_of_date', none) %}
        cast('{{ var("as_of_date") }}' as date) as as_of_date
        {%- else %}
        cast(max(order_purchase_timestamp) as date) as as_of_date
        {%- endif %}
    from orders
)

select * from final
