{%- set subjects = quality_subjects() -%}
{{- depends_on_models(subjects.keys() | list + ['dim_geography']) -}}
with
{%- for subject, about in subjects.items() if '_source_file' not in about.key %}

orphans_{{ subject }} as (
    {%- for reference in quality_rules('references', subject) %}
    select
        {%- for column in about.key %}
        child.{{ column }},
        {%- endfor %}
        '{{ reference.name }}' as rule,
        '{{ reference.column }}' as column_name,
        cast(child.{{ reference.column }} as {{ dbt.type_string() }}) as missing_value,
        '{{ reference.parent }}' as parent
    from {{ ref(subject) }} as child
    where
        {{ about.where or 'true' }}
        and child.{{ reference.column }} is not null
        and not exists (
            select 1
            from {{ ref(reference.parent) }} as parent
            where
                parent.{{ reference.parent_column }} = child.{{ reference.column }}
                {%- if subjects.get(reference.parent, {}).where %}
                and {{ subjects[reference.parent].where }}
                {%- endif %}
        )

    union all
    {% endfor %}

    select
        {%- for column in about.key %}
        child.{{ column }},
        {%- endfor %}
        cast(null as {{ dbt.type_string() }}) as rule,
        cast(null as {{ dbt.type_string() }}) as column_name,
        cast(null as {{ dbt.type_string() }}) as missing_value,
        cast(null as {{ dbt.type_string() }}) as parent
    from {{ ref(subject) }} as child
    where false
),

origin_{{ subject }} as (
    {{- origins(about.source, about.key, 'orphans_' ~ subject) }}
),
{%- endfor %}

final as (
    {%- for subject, about in subjects.items() if '_source_file' not in about.key %}
    select
        orphans.rule,
        '{{ subject }}' as model,
        {{ named_values(about.key, 'orphans') }} as record_key,
        {{ 'orphans.order_id' if 'order_id' in about.key else 'cast(null as ' ~ dbt.type_string() ~ ')' }} as order_id,
        orphans.column_name,
        orphans.missing_value,
        orphans.parent,
        origin._source_file as source_file,
        origin._source_line as source_line
    from orphans_{{ subject }} as orphans
    left join origin_{{ subject }} as origin on {{ same_key(about.key, 'orphans', 'origin') }}
    {% if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
)

select * from final
