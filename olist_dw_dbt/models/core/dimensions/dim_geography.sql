with points as (
    select
        geolocation_zip_code_prefix as zip_code_prefix,
        geolocation_city as city,
        geolocation_state as state,
        geolocation_lat as latitude,
        geolocation_lng as longitude,
        {{ is_in_brazil('geolocation_lat', 'geolocation_lng') }} as is_in_brazil
    from {{ ref('stg_geolocation') }}
    where geolocation_zip_code_prefix is not null
),

spellings as (
    select
        zip_code_prefix,
        city,
        state,
        sum(case when is_in_brazil then 1 else 0 end) as points_in_brazil,
        count(*) as points
    from points
    group by zip_code_prefix, city, state
),

ranked_spellings as (
    select
        zip_code_prefix,
        city,
        state,
        row_number() over (
            partition by zip_code_prefix
            order by points_in_brazil desc, points desc, city nulls last, state nulls last
        ) as usage_rank
    from spellings
),

usual_spelling as (
    select
        zip_code_prefix,
        city,
        state
    from ranked_spellings
    where usage_rank = 1
),

middles as (
    select
        zip_code_prefix,
        median(case when is_in_brazil then latitude end) as latitude,
        median(case when is_in_brazil then longitude end) as longitude,
        sum(case when is_in_brazil then 1 else 0 end) as point_count
    from points
    group by zip_code_prefix
),

members as (
    select
        {{ generate_surrogate_key(['middles.zip_code_prefix']) }} as geography_key,
        middles.zip_code_prefix,
        coalesce(usual_spelling.city, 'unknown') as city,
        coalesce(usual_spelling.state, 'unknown') as state,
        {{ region_of_state('usual_spelling.state') }} as region,
        middles.latitude,
        middles.longitude,
        cast(middles.point_count as integer) as point_count
    from middles
    inner join usual_spelling on middles.zip_code_prefix = usual_spelling.zip_code_prefix
),

unknown_member as (
    select
        '-1' as geography_key,
        'unknown' as zip_code_prefix,
        'unknown' as city,
        'unknown' as state,
        'unknown' as region,
        cast(null as double) as latitude,
        cast(null as double) as longitude,
        0 as point_count
),

final as (
    select * from members
    union all
    select * from unknown_member
)

select * from final
