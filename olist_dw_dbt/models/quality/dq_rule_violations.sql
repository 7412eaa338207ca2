with findings as (
    {{- all_findings() }}
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
