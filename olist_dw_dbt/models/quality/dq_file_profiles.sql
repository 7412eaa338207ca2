{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        full_refresh=false,
        on_schema_change='append_new_columns'
    )
}}

{#- A version of a file is measured once, when it has come; what it was stays, to compare later ones with. -#}
{%- set known = load_relation(this) if execute else none -%}
with
{%- if has_ledger() %}

files as (
    select
        source,
        file_name,
        sha256,
        loaded_at as _loaded_at
    from {{ source('etl', 'source_files') }} as files
    {%- if known is not none %}
    where not exists (
        select 1
        from {{ known }} as known
        where known.source = files.source and known.file_name = files.file_name and known.sha256 = files.sha256
    )
    {%- endif %}
),
{%- for name, columns in profiled_columns().items() %}

measured_{{ name }} as (
    select
        _source_file as file_name,
        count(*) as row_count
        {%- for column, kind in columns.items() %},
        count({{ column }}) as {{ column }}_count
        {%- if kind in ('text', 'code', 'scale') %},
        approx_count_distinct({{ column }}) as {{ column }}_distinct
        {%- endif %}
        {%- if kind in ('number', 'scale') %},
        median(cast({{ column }} as double)) as {{ column }}_middle
        {%- endif %}
        {%- if kind == 'event' %},
        cast(max({{ column }}) as date) as {{ column }}_newest
        {%- endif %}
        {%- endfor %}
    from {{ source('raw', 'stg_' ~ name) }}
    where _source_file in (select file_name from files where source = '{{ name }}')
    group by _source_file
),
{%- endfor %}
{%- endif %}

profiles as (
    {%- if has_ledger() %}
    {%- for name, columns in profiled_columns().items() %}
    select
        '{{ name }}' as source,
        measured.file_name,
        columns.column_name,
        measured.row_count,
        measured.row_count - case columns.column_name
            {%- for column in columns %}
            when '{{ column }}' then measured.{{ column }}_count
            {%- endfor %}
        end as null_count,
        {%- for suffix, type, kinds in [
            ('distinct', 'bigint', ('text', 'code', 'scale')),
            ('middle', 'double', ('number', 'scale')),
            ('newest', 'date', ('event',)),
        ] %}
        cast(
            case
                {%- for column, kind in columns.items() if kind in kinds %}
                when columns.column_name = '{{ column }}' then measured.{{ column }}_{{ suffix }}
                {%- endfor %}
                when false then null
            end as {{ type }}
        ) as {{ {'distinct': 'distinct_count', 'middle': 'middle_value', 'newest': 'newest_date'}[suffix] }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from measured_{{ name }} as measured
    cross join (
        values
        {%- for column in columns %}
        ('{{ column }}') {%- if not loop.last %},{% endif %}
        {%- endfor %}
    ) as columns (column_name)

    union all
    {% endfor %}
    {%- endif %}

    select
        cast(null as {{ dbt.type_string() }}) as source,
        cast(null as {{ dbt.type_string() }}) as file_name,
        cast(null as {{ dbt.type_string() }}) as column_name,
        cast(null as bigint) as row_count,
        cast(null as bigint) as null_count,
        cast(null as bigint) as distinct_count,
        cast(null as double) as middle_value,
        cast(null as date) as newest_date
    where false
)

select
    profiles.*,
    {%- if has_ledger() %}
    files.sha256,
    files._loaded_at
    {%- else %}
    cast(null as {{ dbt.type_string() }}) as sha256,
    cast(null as timestamp) as _loaded_at
    {%- endif %}
from profiles
{%- if has_ledger() %}
inner join files on profiles.source = files.source and profiles.file_name = files.file_name
{%- endif %}
