{{
    config(
        materialized='incremental',
        incremental_strategy='replace_affected',
        on_schema_change='fail',
        meta={'affected_by': 'int_affected_customers', 'affected_key': 'customer_id'}
    )
}}

with versions as (
    {{ scd_type_2(ref('snapshot_dim_customer'), 'customer_id', 'int_affected_customers') }}
),

metrics as (
    select * from {{ ref('int_customer_metrics') }}
),

geography as (
    select * from {{ ref('dim_geography') }}
),

members as (
    select
        versions.version_key as customer_key,
        versions.customer_id,
        versions.customer_unique_id,
        versions.customer_zip_code_prefix,
        coalesce(versions.customer_city, 'unknown') as customer_city,
        coalesce(versions.customer_state, 'unknown') as customer_state,
        {{ region_of_state('versions.customer_state') }} as customer_region,
        coalesce(geography.geography_key, '-1') as geography_key,

        metrics.first_order_date,
        metrics.last_order_date,
        coalesce(metrics.total_orders, 0) as total_orders,
        cast(coalesce(metrics.total_spent, 0) as decimal(18, 2)) as total_spent,
        metrics.avg_order_value,
        coalesce(metrics.is_repeat_customer, false) as is_repeat_customer,
        coalesce(metrics.customer_segment, 'NEW') as customer_segment,

        versions.effective_from,
        versions.effective_to,
        versions.is_current,
        versions.created_at,
        versions.updated_at
    from versions
    left join metrics on versions.customer_unique_id = metrics.customer_unique_id
    left join geography on versions.customer_zip_code_prefix = geography.zip_code_prefix
),

unknown_member as (
    select
        '-1' as customer_key,
        '-1' as customer_id,
        '-1' as customer_unique_id,
        'unknown' as customer_zip_code_prefix,
        'unknown' as customer_city,
        'unknown' as customer_state,
        'unknown' as customer_region,
        '-1' as geography_key,

        cast(null as date) as first_order_date,
        cast(null as date) as last_order_date,
        0 as total_orders,
        cast(0 as decimal(18, 2)) as total_spent,
        cast(null as decimal(18, 2)) as avg_order_value,
        false as is_repeat_customer,
        'unknown' as customer_segment,

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
{{ only_affected('int_affected_customers', 'customer_id') }}
