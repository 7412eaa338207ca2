{{ config(materialized='table') }}

{#- Sellers that have changed, or their zip prefix, and those of the items that have come, gone or changed. -#}
{{- depends_on(['stg_geolocation']) -}}

{%- set extent = extent_of_replacement() -%}

with sellers as (
    select * from {{ ref('stg_sellers') }}
),

order_items as (
    select * from {{ ref('stg_order_items') }}
),

{% if extent == 'changed' -%}
affected_orders as (
    select * from {{ ref('int_affected_orders') }}
),

changed_zip_codes as (
    {{ changed_values('geolocation_zip_code_prefix') }}
),

affected as (
    {{ changed_values('seller_id') }}

    union

    select seller_id
    from order_items
    where order_id in (select order_id from affected_orders)

    union

    select seller_id
    from ({{ built_rows(['fact_order_items'], ['order_id', 'seller_id']) }}) as built
    where order_id in (select order_id from affected_orders)

    union

    select seller_id
    from ({{ built_rows(['dim_seller'], ['seller_id', 'seller_zip_code_prefix']) }}) as built
    where seller_zip_code_prefix in (select geolocation_zip_code_prefix from changed_zip_codes)
),
{%- elif extent == 'all' -%}
affected as (
    select seller_id from sellers
    union
    select seller_id from ({{ built_rows(['dim_seller'], ['seller_id']) }}) as built
),
{%- else -%}
affected as (
    select seller_id from sellers
    where false
),
{%- endif %}

final as (
    select seller_id
    from affected
    where seller_id is not null
)

select * from final
