{#- What the loader says: the records of the files, those in quarantine, and the members that stay while theirs is. -#}
{%- set subjects = quality_subjects() -%}
{%- set measured = [] -%}
with
{%- if has_ledger() %}

files as (
    select
        source,
        sum(records) as row_count
    from {{ source('etl', 'source_files') }}
    group by source
),

quarantined as (
    select
        source,
        sum(case when status = 'open' then 1 else 0 end) as open_count,
        sum(case when status = 'discarded' then 1 else 0 end) as discarded_count
    from {{ source('etl', 'quarantine') }}
    where is_present
    group by source
),
{%- for name, about in reconciled_sources().items() if about.reais %}
{%- do measured.append(('files_' ~ name, about.reais)) %}

-- What the rows of each file added up to when they were read; of a file that an older release loaded, what they do now.
files_{{ name }} as (
    select
        {%- for column in about.reais %}
        sum(coalesce(cast({{ key_value('files.amounts', column) }} as decimal(18, 2)), now.{{ column }}, 0)) as {{ column }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ source('etl', 'source_files') }} as files
    left join (
        select
            _source_file,
            {%- for column in about.reais %}
            sum({{ column }}) as {{ column }} {%- if not loop.last %},{% endif %}
            {%- endfor %}
        from {{ source('raw', about.table) }}
        group by _source_file
    ) as now
        on files.file_name = now._source_file
    where files.source = '{{ name }}'
),
{%- endfor %}
{%- for name, dimension in members_of_sources().items() %}
{%- set natural_key = subjects[dimension].key[0] %}
{%- do measured.append(('kept_' ~ name, ['row_count'])) %}

open_{{ name }} as (
    select {{ clean_text(key_value('key', natural_key)) }} as {{ natural_key }}
    from {{ source('etl', 'quarantine') }}
    where source = '{{ name }}' and is_present and status = 'open' and key is not null
),

kept_{{ name }} as (
    select count(*) as row_count
    from {{ ref(dimension) }}
    where
        {{ subjects[dimension].where }}
        and {{ natural_key }} in (select {{ natural_key }} from open_{{ name }})
        and {{ natural_key }} not in (
            select {{ natural_key }}
            from {{ ref('stg_' ~ name) }}
            where {{ natural_key }} in (select {{ natural_key }} from open_{{ name }})
        )
),
{%- endfor %}
{%- endif %}

final as (
    {%- if has_ledger() %}
    select
        {{ dbt.concat(["'files_'", 'source']) }} as relation,
        'row_count' as measure,
        cast(row_count as decimal(18, 2)) as amount
    from files

    union all
    {% for column in ['open_count', 'discarded_count'] %}
    select
        {{ dbt.concat(["'quarantined_'", 'source']) }} as relation,
        '{{ column }}' as measure,
        cast({{ column }} as decimal(18, 2)) as amount
    from quarantined

    union all
    {% endfor %}
    {{- amounts_in(measured) }}
    {%- else %}
    select
        cast(null as {{ dbt.type_string() }}) as relation,
        cast(null as {{ dbt.type_string() }}) as measure,
        cast(null as decimal(18, 2)) as amount
    where false
    {%- endif %}
)

select * from final
