with findings as (
    {{- all_findings() }}
),

final as (
    select
        rule,
        model,
        record_key,
        order_id,
        column_name,
        missing_value,
        parent,
        source_file,
        source_line
    from findings
    where parent is not null
)

select * from final
