with days as (
    select
        *,
        row_number() over (partition by metric, is_new order by abs(score) desc, metric_date) as place,
        count(*) over (partition by metric, is_new) as day_count
    from {{ ref('dq_daily_anomalies') }}
    where not is_event
),

final as (
    select
        'day' as kind,
        metric as subject,
        is_new,
        day_count as anomaly_count,
        abs(score) as score,
        '{{ ref('dq_daily_anomalies').schema }}.dq_daily_anomalies' as listed_in,
        'metric' as listed_by,
        metric as listed_as,
        case
            when day_count = 1 then message
            else {{ dbt.concat([
                'message', "'; and '", as_text('day_count - 1'), "' more days unlike the weekdays before them'",
            ]) }}
        end as message
    from days
    where place = 1

    union all

    select
        'file' as kind,
        file_name as subject,
        is_new,
        1 as anomaly_count,
        cast(null as double) as score,
        '{{ ref('dq_file_anomalies').schema }}.dq_file_anomalies' as listed_in,
        'file_name' as listed_by,
        file_name as listed_as,
        message
    from {{ ref('dq_file_anomalies') }}
)

select * from final
