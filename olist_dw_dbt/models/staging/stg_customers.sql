with source as (
    select *
    from {{ current_records(source('raw', 'stg_customers'), ['customer_id']) }}
),

cleaned as (
    select
        {{ trimmed('customer_id') }} as customer_id,
        {{ trimmed('customer_unique_id') }} as customer_unique_id,
        {{ clean_text('customer_zip_code_prefix') }} as customer_zip_code_prefix,
        {{ clean_city('customer_city') }} as customer_city,
        {{ clean_state('customer_state') }} as customer_state,
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
