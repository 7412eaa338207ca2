{{
    config(
        materialized='incremental',
        incremental_strategy='replace_affected',
        on_schema_change='fail',
        meta={'affected_by': 'int_affected_sellers', 'affected_key': 'seller_id'}
    )
}}

with versions as (
    {{ scd_type_2(ref('snapshot_dim_seller'), 'seller_id', 'int_affected_sellers') }}
),

metrics as (
    select * from {{ ref('int_seller_metrics') }}
),

geography as (
    select * from {{ ref('dim_geography') }}
),

members as (
    select
        versions.version_key as seller_key,
        versions.seller_id,
        versions.seller_zip_code_prefix,
        coalesce(versions.seller_city, 'unknown') as seller_city,
        coalesce(versions.seller_state, 'unknown') as seller_state,
        {{ region_of_state('versions.seller_state') }} as seller_region,
        coalesce(geography.geography_key, '-1') as geography_key,

        metrics.first_sold_date,
        metrics.last_sold_date,
        coalesce(metrics.total_orders, 0) as total_orders,
        coalesce(metrics.total_items, 0) as total_items,
        cast(coalesce(metrics.total_revenue, 0) as decimal(18, 2)) as total_revenue,

        versions.effective_from,
        versions.effective_to,
        versions.is_current,
        versions.created_at,
        versions.updated_at
    from versions
    left join metrics on versions.seller_id = metrics.seller_id
    left join geography on versions.seller_zip_code_prefix = geography.zip_code_prefix
),

unknown_member as (
    select
        '-1' as seller_key,
        '-1' as seller_id,
        'unknown' as seller_zip_code_prefix,
        'unknown' as seller_city,
        'unknown' as seller_state,
        'unknown' as seller_region,
        '-1' as geography_key,

        cast(null as date) as first_sold_date,
        cast(null as date) as last_sold_date,
        0 as total_orders,
        0 as total_items,
        cast(0 as decimal(18, 2)) as total_revenue,

        {{ first_version_from() }} as effective_from,
        cast(null as timestamp) as effective_to,
        true as is_current,
        cast(null as timestamp) as created_at,
        cast(null as timestamp) as updated_at
),

final as (
    select * from members
    union all
    select * from unknown_member
)

select * from final
{{ only_affected('int_affected_sellers', 'seller_id') }}
