{#-
    Files that are unlike what they are compared with: the version of the same file before, else the other files of the
    source that are about as large (a factor of ten), else all others. Shares are compared by a z-score of two proportions
    (pooled, as in any textbook), sizes and medians by their ratio.
-#}
{%- set files = source('etl', 'source_files') -%}
with
{%- if not execute or load_relation(files) is not none %}

present as (
    select
        profiles.*,
        profiles._loaded_at = max(profiles._loaded_at) over () as is_latest
    from {{ ref('dq_file_profiles') }} as profiles
    inner join {{ files }} as files
        on profiles.source = files.source
        and profiles.file_name = files.file_name
        and profiles.sha256 = files.sha256
),

earlier_versions as (
    select
        present.source,
        present.file_name,
        present.column_name,
        earlier.row_count,
        earlier.null_count,
        earlier.distinct_count,
        earlier.middle_value,
        earlier.newest_date,
        row_number() over (
            partition by present.source, present.file_name, present.column_name
            order by earlier._loaded_at desc
        ) as recency_rank
    from present
    inner join {{ ref('dq_file_profiles') }} as earlier
        on present.source = earlier.source
        and present.file_name = earlier.file_name
        and present.column_name = earlier.column_name
        and earlier._loaded_at < present._loaded_at
),

previous as (
    select * from earlier_versions where recency_rank = 1
),

peers as (
    select
        present.source,
        present.file_name,
        present.column_name,
        count(*) as file_count,
        sum(case when peer.is_alike then 1 else 0 end) as alike_count,
        median(case when peer.is_alike then peer.row_count end) as alike_rows,
        sum(peer.row_count) as all_rows,
        sum(peer.null_count) as all_nulls,
        sum(case when peer.is_alike then peer.row_count end) as alike_total,
        sum(case when peer.is_alike then peer.null_count end) as alike_nulls,
        median(peer.middle_value) as all_middle,
        max(peer.newest_date) as all_newest,
        median(case when peer.is_alike then peer.middle_value end) as alike_middle,
        min(case when peer.is_alike then peer.distinct_count end) as alike_distinct
    from present
    inner join (
        select
            one.file_name as compared_with,
            other.*,
            other.row_count between one.row_count / 10.0 and one.row_count * 10.0 as is_alike
        from present as one
        inner join present as other
            on one.source = other.source
            and one.column_name = other.column_name
            and one.file_name <> other.file_name
            and other._loaded_at <= one._loaded_at
    ) as peer
        on present.source = peer.source
        and present.column_name = peer.column_name
        and present.file_name = peer.compared_with
    group by present.source, present.file_name, present.column_name
),

compared as (
    select
        present.source,
        present.file_name,
        present.column_name,
        present.is_latest,
        present.row_count,
        present.null_count,
        present.distinct_count,
        present.middle_value,
        present.newest_date,
        coalesce(previous.newest_date, peers.all_newest) as usual_newest,
        case
            when previous.file_name is not null then 'its version before'
            when peers.alike_count >= 3 then 'other files like it'
            else 'the other files'
        end as compared_with,
        case
            when previous.file_name is not null then previous.row_count
            when peers.alike_count >= 3 then peers.alike_rows
        end as usual_rows,
        case
            when previous.file_name is not null then previous.row_count
            when peers.alike_count >= 3 then peers.alike_total
            when present.column_name not in ('{{ later_columns() | join("', '") }}') then peers.all_rows
        end as base_rows,
        case
            when previous.file_name is not null then previous.null_count
            when peers.alike_count >= 3 then peers.alike_nulls
            else peers.all_nulls
        end as base_nulls,
        case
            when previous.file_name is not null then previous.middle_value
            when peers.alike_count >= 3 then peers.alike_middle
            else peers.all_middle
        end as usual_middle,
        case
            when previous.file_name is not null then previous.distinct_count
            when peers.alike_count >= 3 then peers.alike_distinct
        end as usual_distinct
    from present
    left join previous
        on present.source = previous.source
        and present.file_name = previous.file_name
        and present.column_name = previous.column_name
    left join peers
        on present.source = peers.source
        and present.file_name = peers.file_name
        and present.column_name = peers.column_name
),

files_compared as (
    select
        *,
        row_number() over (partition by source, file_name order by column_name) as column_number
    from compared
),

measures as (
    select
        source,
        file_name,
        is_latest,
        compared_with,
        'rows' as measure,
        cast(null as {{ dbt.type_string() }}) as column_name,
        {{ as_text('row_count') }} as value,
        {{ as_text('cast(usual_rows as bigint)') }} as expected,
        usual_rows >= {{ var('dq_smallest_sample') }}
        and (row_count < usual_rows * 0.75 or row_count > usual_rows * 4) as is_odd
    from files_compared
    where column_number = 1

    union all

    select
        source,
        file_name,
        is_latest,
        compared_with,
        'share of empty fields' as measure,
        column_name,
        {{ as_text('round(cast(null_count as double) / row_count, 3)') }} as value,
        {{ as_text('round(cast(base_nulls as double) / base_rows, 3)') }} as expected,
        row_count >= {{ var('dq_smallest_sample') }}
        and base_rows >= {{ var('dq_smallest_sample') }}
        and abs(cast(null_count as double) / row_count - cast(base_nulls as double) / base_rows) >= 0.05
        and abs(cast(null_count as double) / row_count - cast(base_nulls as double) / base_rows) > {{ var('dq_threshold') }}
        * sqrt(
            ((null_count + base_nulls + 1.0) / (row_count + base_rows + 2.0))
            * (1 - (null_count + base_nulls + 1.0) / (row_count + base_rows + 2.0))
            * (1.0 / row_count + 1.0 / base_rows)
        ) as is_odd
    from compared
    where row_count > 0 and base_rows > 0

    union all

    select
        source,
        file_name,
        is_latest,
        compared_with,
        'median' as measure,
        column_name,
        {{ as_text('round(middle_value, 2)') }} as value,
        {{ as_text('round(usual_middle, 2)') }} as expected,
        row_count - null_count >= {{ var('dq_smallest_sample') }}
        and abs(usual_middle) > 0
        and (middle_value / usual_middle > 2 or middle_value / usual_middle < 0.5) as is_odd
    from compared
    where middle_value is not null and usual_middle is not null and usual_middle <> 0

    union all

    select
        source,
        file_name,
        is_latest,
        compared_with,
        'different values' as measure,
        column_name,
        {{ as_text('distinct_count') }} as value,
        {{ as_text('usual_distinct') }} as expected,
        row_count >= {{ var('dq_smallest_sample') }}
        and usual_distinct >= 3
        and distinct_count < usual_distinct * 0.5
        and (distinct_count = 1 or (compared_with = 'its version before' and row_count >= usual_rows * 0.75)) as is_odd
    from compared
    where distinct_count is not null and usual_distinct is not null

    union all

    -- A new file that ends a week before what is known, or a version that ends before the one before it, is an old one.
    select
        source,
        file_name,
        is_latest,
        compared_with,
        'newest day' as measure,
        column_name,
        {{ as_text('newest_date') }} as value,
        {{ as_text('usual_newest') }} as expected,
        row_count >= {{ var('dq_smallest_sample') }}
        and newest_date < case
            when compared_with = 'its version before' then usual_newest
            else cast({{ dbt.dateadd('day', -7, 'usual_newest') }} as date)
        end as is_odd
    from compared
    where newest_date is not null and usual_newest is not null
),

final as (
    select
        source,
        file_name,
        measure,
        column_name,
        value,
        expected,
        compared_with,
        is_latest as is_new,
        {{ dbt.concat([
            'file_name', "': '", 'measure', "coalesce(' of ' || column_name, '')", "' '", 'value',
            "', in '", 'compared_with', "' '", 'expected',
        ]) }} as message
    from measures
    where is_odd
)
{%- else %}

final as (
    select
        {%- for column in ['source', 'file_name', 'measure', 'column_name', 'compared_with', 'message'] %}
        cast(null as {{ dbt.type_string() }}) as {{ column }},
        {%- endfor %}
        cast(null as {{ dbt.type_string() }}) as value,
        cast(null as {{ dbt.type_string() }}) as expected,
        cast(null as boolean) as is_new
    where false
)
{%- endif %}

select * from final
