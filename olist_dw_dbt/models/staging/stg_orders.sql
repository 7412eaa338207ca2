with source as (
    select *
    from {{ current_records(source('raw', 'stg_orders'), ['order_id']) }}
),

cleaned as (
    select
        {{ trimmed('order_id') }} as order_id,
        {{ trimmed('customer_id') }} as customer_id,
        lower({{ trimmed('order_status') }}) as order_status,
        order_purchase_timestamp,
        order_approved_at,
        order_delivered_carrier_date,
        order_delivered_customer_date,
        order_estimated_delivery_date,
        _source_file,
        _source_line,
        _loaded_at,
        _run_id
    from source
),

final as (
    select * from cleaned
)

select * from final
