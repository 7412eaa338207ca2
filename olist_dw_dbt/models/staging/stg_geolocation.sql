with source as (
    select * from {{ source('raw', 'stg_geolocation') }}
),

cleaned as (
    select
        {{ clean_text('geolocation_zip_code_prefix') }} as geolocation_zip_code_prefix,
        geolocation_lat,
        geolocation_lng,
        {{ clean_city('geolocation_city') }} as geolocation_city,
        {{ clean_state('geolocation_state') }} as geolocation_state,
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
