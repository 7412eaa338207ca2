with source as (
    select *
    from {{ current_records(source('raw', 'stg_order_payments'), ['order_id', 'payment_sequential']) }}
),

cleaned as (
    select
        {{ trimmed('order_id') }} as order_id,
        payment_sequential,
        lower({{ trimmed('payment_type') }}) as payment_type,
        payment_installments,
        cast(payment_value as decimal(18, 2)) as payment_value,
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
