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
    select *
    from (
        values
        {%- for kind, word in [('rules', 'rule'), ('references', 'reference')] %}
        {%- for subject in quality_subjects() %}
        {%- for rule in quality_rules(kind, subject) %}
        (
            '{{ rule.name }}', '{{ word }}', {{ quoted_text(rule.description) }}, '{{ rule.severity }}',
            '{{ rule.owner }}', '{{ subject }}',
            {{ quoted_text(rule.condition or (rule.column ~ " is in " ~ rule.parent)) }},
            {{ rule.known_count or 0 }}, {{ rule.known_of or 1 }}
        ),
        {%- endfor %}
        {%- endfor %}
        {%- endfor %}
        -- a project may have no rules
        ({% for _ in range(7) %}cast(null as {{ dbt.type_string() }}), {% endfor %}0, 1)
    ) as listed (rule, kind, description, severity, owner, model, condition, known_count, known_of)
    where rule is not null
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
