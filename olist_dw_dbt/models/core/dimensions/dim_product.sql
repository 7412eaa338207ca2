{{
    config(
        materialized='incremental',
        incremental_strategy='replace_affected',
        on_schema_change='fail',
        meta={'affected_by': 'int_affected_products', 'affected_key': 'product_id'}
    )
}}

with versions as (
    {{ scd_type_2(ref('snapshot_dim_product'), 'product_id', 'int_affected_products') }}
),

metrics as (
    select * from {{ ref('int_product_metrics') }}
),

categories as (
    select * from {{ ref('dim_category') }}
),

members as (
    select
        versions.version_key as product_key,
        versions.product_id,
        coalesce(categories.category_key, '-1') as category_key,
        coalesce(versions.product_category_name, 'unknown') as product_category_name,
        coalesce(categories.product_category_name_english, 'unknown') as product_category_name_english,

        versions.product_name_length,
        versions.product_description_length,
        versions.product_photos_qty,
        versions.product_weight_g,
        versions.product_length_cm,
        versions.product_height_cm,
        versions.product_width_cm,
        cast(versions.product_length_cm as bigint)
        * versions.product_height_cm
        * versions.product_width_cm as product_volume_cm3,

        metrics.first_sold_date,
        metrics.last_sold_date,
        coalesce(metrics.total_orders, 0) as total_orders,
        coalesce(metrics.total_items, 0) as total_items,
        cast(coalesce(metrics.total_revenue, 0) as decimal(18, 2)) as total_revenue,
        metrics.avg_price,

        versions.effective_from,
        versions.effective_to,
        versions.is_current,
        versions.created_at,
        versions.updated_at
    from versions
    left join metrics on versions.product_id = metrics.product_id
    left join categories on versions.product_category_name = categories.product_category_name
),

unknown_member as (
    select
        '-1' as product_key,
        '-1' as product_id,
        '-1' as category_key,
        'unknown' as product_category_name,
        'unknown' as product_category_name_english,

        cast(null as integer) as product_name_length,
        cast(null as integer) as product_description_length,
        cast(null as integer) as product_photos_qty,
        cast(null as integer) as product_weight_g,
        cast(null as integer) as product_length_cm,
        cast(null as integer) as product_height_cm,
        cast(null as integer) as product_width_cm,
        cast(null as bigint) as product_volume_cm3,

        cast(null as date) as first_sold_date,
        cast(null as date) as last_sold_date,
        0 as total_orders,
        0 as total_items,
        cast(0 as decimal(18, 2)) as total_revenue,
        cast(null as decimal(18, 2)) as avg_price,

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
{{ only_affected('int_affected_products', 'product_id') }}
