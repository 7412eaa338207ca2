{#- Each subject is read once; the few rows that break a rule are then told apart by rule, and their records looked up. -#}
{%- set subjects = quality_subjects() -%}
{%- set text = dbt.type_string() -%}
with
{%- for subject, about in subjects.items() %}
{%- set rules = quality_rules('rules', subject) %}

broken_{{ subject }} as (
    select *
    from {{ ref(subject) }}
    where
        {{ about.where or 'true' }}
        and (
            {%- for rule in rules %}
            not ({{ rule.condition }}) or
            {%- endfor %}
            false
        )
),

found_{{ subject }} as (
    {%- for rule in rules %}
    select
        '{{ rule.name }}' as rule,
        {{ named_values(rule['columns']) }} as record_values,
        {{ about.key | join(', ') }}
    from broken_{{ subject }}
    where not ({{ rule.condition }})

    union all
    {% endfor %}

    select
        cast(null as {{ text }}) as rule,
        cast(null as {{ text }}) as record_values,
        {{ about.key | join(', ') }}
    from broken_{{ subject }}
    where false
),

origin_{{ subject }} as (
    {{- origins(about.source, about.key, 'broken_' ~ subject) }}
),
{%- endfor %}

final as (
    {%- for subject, about in subjects.items() %}
    select
        found.rule,
        '{{ subject }}' as model,
        {{ named_values(about.key, 'found') }} as record_key,
        {{ 'found.order_id' if 'order_id' in about.key else 'cast(null as ' ~ text ~ ')' }} as order_id,
        found.record_values,
        origin._source_file as source_file,
        origin._source_line as source_line
    from found_{{ subject }} as found
    left join origin_{{ subject }} as origin on {{ same_key(about.key, 'found', 'origin') }}
    {% if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
)

select * from final
