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

{#- What the desk measures of a set of orders, for the daily and the monthly executive mart alike.
    `from` must be fact_orders (one row an order), grouped by the mart's grain. -#}
{% macro executive_order_measures() %}
        count(*) as order_count,
        count(case when has_items then 1 end) as orders_with_items,
        count(case when is_delivered then 1 end) as delivered_orders,
        count(case when {{ is_canceled('order_status') }} then 1 end) as canceled_orders,

        sum(total_amount) as gmv,
        sum(case when is_delivered then total_amount else 0 end) as delivered_gmv,
        sum(total_price) as revenue,
        sum(total_freight) as freight,
        sum(total_payment) as payments,

        count(distinct customer_unique_id) as unique_customers,
        count(case when is_first_order then 1 end) as new_customers,

        count(review_score) as reviewed_orders,
        sum(review_score) as review_score_sum,

        count(case when is_late_delivery is not null then 1 end) as arrived_orders,
        count(case when is_late_delivery then 1 end) as late_orders
{%- endmacro %}

{#- Of the items of a product, or of a seller, in one order. -#}
{% macro sums_of_items() %}
        count(*) as items,
        sum(price) as revenue,
        sum(freight_value) as freight,
        sum({{ item_amount() }}) as amount
{%- endmacro %}

{#- Of all orders of a product or of a seller. `sums` is a relation with a row for each order, with sums_of_items, left
    joined with `orders`, int_order_enriched. -#}
{% macro sums_of_orders(sums) %}
        cast(sum({{ sums }}.items) as integer) as total_items,
        cast(sum({{ sums }}.revenue) as decimal(18, 2)) as total_revenue,
        cast(sum({{ sums }}.freight) as decimal(18, 2)) as total_freight,
        cast(sum({{ sums }}.amount) as decimal(18, 2)) as total_amount,
        cast(min({{ day_of('orders.order_purchase_timestamp') }}) as date) as first_sold_date,
        cast(max({{ day_of('orders.order_purchase_timestamp') }}) as date) as last_sold_date,
        cast(count(*) as integer) as total_orders,
        count(case when orders.is_delivered then 1 end) as delivered_orders,
        count(case when {{ is_canceled('orders.order_status') }} then 1 end) as canceled_orders,
        count(orders.review_score) as reviewed_orders,
        sum(orders.review_score) as review_score_sum,
        count(case when orders.review_score <= 2 then 1 end) as low_score_orders,
        count(case when orders.is_late_delivery is not null then 1 end) as arrived_orders,
        count(case when orders.is_late_delivery then 1 end) as late_orders
{%- endmacro %}
