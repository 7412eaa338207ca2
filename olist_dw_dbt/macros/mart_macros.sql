{#- Expressions that several marts share. Each measure is defined here or in the one model that computes it. -#}

{#- A ratio of two sums, 0..1. NULL where the denominator is 0 or NULL. -#}
{% macro share_of(numerator, denominator) -%}
    cast({{ numerator }} as double) / nullif(cast({{ denominator }} as double), 0)
{%- endmacro %}

{#- Change against an earlier value in percent. NULL where there is no earlier value or it is 0. -#}
{% macro growth_pct(current_value, previous_value) -%}
    100 * (cast({{ current_value }} as double) - cast({{ previous_value }} as double))
        / nullif(cast({{ previous_value }} as double), 0)
{%- endmacro %}

{#- An order that will not be fulfilled: the buyer or Olist called it off, or the goods could not be had. -#}
{% macro is_canceled(status) -%}
    {{ status }} in ('canceled', 'unavailable')
{%- endmacro %}

{#- The day, and the first day of the month, of a date or timestamp. -#}
{% macro day_of(moment) -%}
    cast({{ moment }} as date)
{%- endmacro %}

{% macro month_of(moment) -%}
    cast({{ dbt.date_trunc('month', moment) }} as date)
{%- endmacro %}

{#- Several percentiles of one expression, as a list: half the work of each by itself. `nth_percentile` takes one out. -#}
{% macro percentiles_of(expression, fractions) -%}
    {{ return(adapter.dispatch('percentiles_of')(expression, fractions)) }}
{%- endmacro %}

{% macro duckdb__percentiles_of(expression, fractions) -%}
    quantile_cont({{ expression }}, [{{ fractions | join(', ') }}])
{%- endmacro %}

{% macro spark__percentiles_of(expression, fractions) -%}
    percentile({{ expression }}, array({{ fractions | join(', ') }}))
{%- endmacro %}

{% macro nth_percentile(percentiles, number) -%}
    round({{ adapter.dispatch('nth_of')(percentiles, number) }}, 6)
{%- endmacro %}

{#- Counted from 1. -#}
{% macro default__nth_of(list, number) -%}
    {{ list }}[{{ number }}]
{%- endmacro %}

{% macro spark__nth_of(list, number) -%}
    {{ list }}[{{ number - 1 }}]
{%- endmacro %}

{#- The exact percentile with linear interpolation between neighbours (0.5 is the median). NULLs do not count. Rounded,
    since engines differ in the last bit of the interpolation. -#}
{% macro percentile_of(expression, fraction) -%}
    round({{ exact_percentile(expression, fraction) }}, 6)
{%- endmacro %}

{% macro exact_percentile(expression, fraction) -%}
    {{ return(adapter.dispatch('exact_percentile')(expression, fraction)) }}
{%- endmacro %}

{% macro default__exact_percentile(expression, fraction) -%}
    percentile_cont({{ fraction }}) within group (order by {{ expression }})
{%- endmacro %}

{% macro duckdb__exact_percentile(expression, fraction) -%}
    quantile_cont({{ expression }}, {{ fraction }})
{%- endmacro %}

{% macro spark__exact_percentile(expression, fraction) -%}
    percentile({{ expression }}, {{ fraction }})
{%- endmacro %}

{#- count(distinct) of a column whose values stand in one row each but where `may_repeat`. To gather all of them takes
    most of a mart's time, and few persons and orders come twice. -#}
{% macro count_distinct(column, may_repeat) -%}
    count(case when not {{ may_repeat }} then {{ column }} end)
        + count(distinct case when {{ may_repeat }} then {{ column }} end)
{%- endmacro %}

{#- Of an order: its person has others. -#}
{% macro is_of_repeat_customer() -%}
    customer_unique_id in (select customer_unique_id from {{ ref('fact_orders') }} where not is_first_order)
{%- endmacro %}

{#- Of an item: its order may have others. Items are numbered, so of several at least one is not number 1. -#}
{% macro is_of_several_items() -%}
    order_id in (select order_id from {{ ref('fact_order_items') }} where order_item_id <> 1)
{%- endmacro %}
