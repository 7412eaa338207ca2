with source as (
    select *
    from {{ current_records(source('raw', 'stg_products'), ['product_id']) }}
),

cleaned as (
    select
        {{ trimmed('product_id') }} as product_id,
        {{ clean_text('lower(product_category_name)') }} as product_category_name,
        product_name_lenght as product_name_length,
        product_description_lenght as product_description_length,
        product_photos_qty,
        product_weight_g,
        product_length_cm,
        product_height_cm,
        product_width_cm,
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
