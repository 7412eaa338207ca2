with flags as (
    select
        order_id,
        rule
    from {{ ref('dq_rule_violations') }}

    union all

    select
        order_id,
        rule
    from {{ ref('dq_orphans') }}
),

by_rule as (
    select
        order_id,
        rule,
        count(*) as flag_count
    from flags
    where order_id is not null
    group by order_id, rule
),

final as (
    select
        order_id,
        cast(sum(flag_count) as bigint) as flag_count,
        {{ sorted_list('rule') }} as rules
    from by_rule
    group by order_id
)

select * from final
