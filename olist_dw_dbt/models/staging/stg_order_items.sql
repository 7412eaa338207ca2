with source as (
    select *
    from {{ current_records(source('raw', 'stg_order_items'), ['order_id', 'order_item_id']) }}
),

cleaned as (
    select
        {{ trimmed('order_id') }} as order_id,
        order_item_id,
        {{ trimmed('product_id') }} as product_id,
        {{ trimmed('seller_id') }} as seller_id,
        shipping_limit_date,
        cast(price as decimal(18, 2)) as price,
        cast(freight_value as decimal(18, 2)) as freight_value,
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
