with findings as (
    {%- for subject in quality_subjects() %}
    select * from {{ ref(findings_of(subject)) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

final as (
    select
        rule,
        model,
        record_key,
        order_id,
        record_values,
        source_file,
        source_line
    from findings
    where parent is null
)

select * from final
