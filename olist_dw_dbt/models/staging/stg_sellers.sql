with source as (
    select *
    from {{ current_records(source('raw', 'stg_sellers'), ['seller_id']) }}
),

cleaned as (
    select
        {{ trimmed('seller_id') }} as seller_id,
        {{ clean_text('seller_zip_code_prefix') }} as seller_zip_code_prefix,
        {{ clean_city('seller_city') }} as seller_city,
        {{ clean_state('seller_state') }} as seller_state,
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
