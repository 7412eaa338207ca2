with source as (
    select * from {{ source('raw', 'stg_category_translation') }}
),

cleaned as (
    select
        lower({{ trimmed('product_category_name') }}) as product_category_name,
        {{ clean_text('product_category_name_english') }} as product_category_name_english,
        _source_file,
        _source_line,
        _loaded_at,
        _run_id
    from source
),

-- Names that differ in their case are one.
final as (
    select
        product_category_name,
        product_category_name_english,
        _source_file,
        _source_line,
        _loaded_at,
        _run_id
    from {{ current_record_of('cleaned', ['product_category_name']) }}
)

select * from final
