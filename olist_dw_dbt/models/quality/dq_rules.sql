with checked as (
    {%- for subject, about in quality_subjects().items() %}
    select
        '{{ subject }}' as model,
        count(*) as row_count
    from {{ ref(subject) }}
    where {{ about.where or 'true' }}
    {% if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
),

broken as (
    select
        rule,
        count(*) as violation_count
    from {{ ref('dq_rule_violations') }}
    group by rule

    union all

    select
        rule,
        count(*) as violation_count
    from {{ ref('dq_orphans') }}
    group by rule
),

rules as (
    {%- for kind, word in [('rules', 'rule'), ('references', 'reference')] %}
    {%- for subject in quality_subjects() %}
    {%- for rule in quality_rules(kind, subject) %}
    select
        '{{ rule.name }}' as rule,
        '{{ word }}' as kind,
        {{ quoted_text(rule.description) }} as description,
        '{{ rule.severity }}' as severity,
        '{{ rule.owner }}' as owner,
        '{{ subject }}' as model,
        {{ quoted_text(rule.condition or (rule.column ~ " is in " ~ rule.parent)) }} as condition,
        {{ rule.known_count or 0 }} as known_count,
        {{ rule.known_of or 1 }} as known_of
    union all
    {% endfor %}
    {%- endfor %}
    {%- endfor %}
    select
        {%- for column in ['rule', 'kind', 'description', 'severity', 'owner', 'model', 'condition'] %}
        cast(null as {{ dbt.type_string() }}) as {{ column }},
        {%- endfor %}
        0 as known_count,
        1 as known_of
    where false
),

measured as (
    select
        rules.rule,
        rules.kind,
        rules.description,
        rules.severity,
        rules.owner,
        rules.model,
        rules.condition,
        checked.row_count,
        coalesce(broken.violation_count, 0) as violation_count,
        case
            when rules.kind = 'rule' then '{{ ref('dq_rule_violations').schema }}.dq_rule_violations'
            else '{{ ref('dq_orphans').schema }}.dq_orphans'
        end as listed_in,
        'rule' as listed_by,
        rules.rule as listed_as,
        rules.known_count,
        rules.known_of,
        cast({{ control_limit('checked.row_count', 'rules.known_count', 'rules.known_of') }} as bigint) as limit_count
    from rules
    inner join checked on rules.model = checked.model
    left join broken on rules.rule = broken.rule
),

final as (
    select
        *,
        violation_count > limit_count as is_drift,
        case
            when violation_count > limit_count
                then {{ dbt.concat([
                    'rule', "': '", as_text('violation_count'), "' of '", as_text('row_count'),
                    "' rows break it, and at most '", as_text('limit_count'), "' would as in the public data. '",
                    'description',
                ]) }}
        end as message
    from measured
)

select * from final
