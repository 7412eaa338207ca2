{#-
    Days that are unlike the same weekdays of the eight weeks before them. Expected is the median of those weekdays, which
    knows the weekday and follows growth and season; the spread is the median absolute deviation of what the 56 days
    before were off by, times 1.4826, but never less than chance alone gives a value of so few records. Medians, because
    one odd day must neither hide the next nor look like a change of level. A day is unlike beyond `dq_threshold` spreads
    (modified z-score: Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993; they take 3.5 for one series, and here
    are sixteen) and by more than matters. Amounts and counts are compared by their logarithm.
-#}
{%- set previous = load_relation(this) if execute else none -%}
with metrics as (
    select
        metric,
        kind,
        metric_date,
        value,
        sample_size,
        _loaded_at,
        case
            when kind = 'count' then ln(value + 1)
            when kind in ('amount', 'level') then ln(value + 0.01)
            else value
        end as x
    from {{ ref('dq_daily_metrics') }}
    where sample_size >= {{ var('dq_smallest_sample') }} or kind in ('count')
),

compared as (
    select
        metrics.metric,
        metrics.metric_date,
        median(earlier.x) as expected_x,
        median(earlier.value) as expected,
        count(*) as weeks
    from metrics
    inner join metrics as earlier
        on metrics.metric = earlier.metric
        and earlier.metric_date between {{ dbt.dateadd('day', -56, 'metrics.metric_date') }}
        and {{ dbt.dateadd('day', -7, 'metrics.metric_date') }}
        and mod({{ dbt.datediff('earlier.metric_date', 'metrics.metric_date', 'day') }}, 7) = 0
    group by metrics.metric, metrics.metric_date
    having count(*) >= 4
),

residuals as (
    select
        metrics.metric,
        metrics.kind,
        metrics.metric_date,
        metrics.value,
        metrics.sample_size,
        metrics._loaded_at,
        compared.expected,
        metrics.x - compared.expected_x as residual,
        case metrics.kind
            when 'count' then 1 / sqrt(compared.expected + 1)
            when 'amount' then 1.1 / sqrt(metrics.sample_size + 1)
            when 'level' then 0.5 / sqrt(metrics.sample_size + 1)
            when 'score' then 1.35 / sqrt(metrics.sample_size + 1)
            when 'share' then sqrt(
                greatest(compared.expected, 1.0 / (metrics.sample_size + 2))
                * greatest(1 - compared.expected, 1.0 / (metrics.sample_size + 2)) / (metrics.sample_size + 1)
            )
        end as chance,
        case metrics.kind when 'score' then 0.5 when 'share' then 0.05 else 0.2 end as matters
    from metrics
    inner join compared on metrics.metric = compared.metric and metrics.metric_date = compared.metric_date
),

spreads as (
    select
        residuals.metric,
        residuals.metric_date,
        1.4826 * median(abs(earlier.residual)) as spread
    from residuals
    inner join residuals as earlier
        on residuals.metric = earlier.metric
        and earlier.metric_date between {{ dbt.dateadd('day', -56, 'residuals.metric_date') }}
        and {{ dbt.dateadd('day', -1, 'residuals.metric_date') }}
    group by residuals.metric, residuals.metric_date
    having count(*) >= 14
),

scored as (
    select
        residuals.*,
        residuals.residual / greatest(spreads.spread, residuals.chance) as score
    from residuals
    inner join spreads on residuals.metric = spreads.metric and residuals.metric_date = spreads.metric_date
),

-- The newest day may not be over; it is judged by its volume once it has reached its last hours.
newest_order as (
    select max(order_purchase_timestamp) as purchased_at
    from {{ ref('fact_orders') }}
),

latest_load as (
    select max(_loaded_at) as _loaded_at
    from {{ ref('dq_daily_metrics') }}
),

anomalies as (
    select
        scored.metric,
        scored.metric_date,
        scored.value,
        scored.expected,
        round(scored.score, 6) as score,
        scored.sample_size,
        {{ is_shopping_event('scored.metric_date') }} and scored.kind in ('count', 'amount') as is_event
    from scored
    cross join newest_order
    where
        abs(scored.score) > {{ var('dq_threshold') }}
        and abs(scored.residual) >= scored.matters
        and (
            scored.metric not in ('orders', 'gmv')
            or scored.score > 0
            or scored.metric_date < cast(newest_order.purchased_at as date)
            or {{ dbt.date_trunc('hour', 'newest_order.purchased_at') }}
            >= {{ dbt.dateadd('hour', 22, 'cast(cast(newest_order.purchased_at as date) as timestamp)') }}
        )
),

final as (
    select
        anomalies.metric,
        anomalies.metric_date,
        anomalies.value,
        anomalies.expected,
        anomalies.score,
        anomalies.sample_size,
        anomalies.is_event,
        {%- if previous is not none %}
        coalesce(previous.first_seen_at, latest_load._loaded_at) as first_seen_at,
        -- To build again is no load: what was no news of this one stays none.
        not anomalies.is_event
        and coalesce(previous.is_new and previous.first_seen_at = latest_load._loaded_at, previous.metric is null) as is_new
        {%- else %}
        -- What the first build finds is history, not news.
        latest_load._loaded_at as first_seen_at,
        false as is_new
        {%- endif %}
    from anomalies
    cross join latest_load
    {%- if previous is not none %}
    left join {{ previous }} as previous
        on anomalies.metric = previous.metric
        and anomalies.metric_date = previous.metric_date
    {%- endif %}
)

select
    *,
    {{ dbt.concat(['metric', "' of '", as_text('metric_date'), "' is '", as_text('round(value, 3)'),
        "', expected about '", as_text('round(expected, 3)'), "' ('", as_text('sample_size'), "' records)'"]) }} as message
from final
