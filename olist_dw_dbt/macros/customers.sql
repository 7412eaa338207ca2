{#- The segment of a person by their delivered orders (int_customer_metrics describes it). First match counts. -#}
{% macro customer_segment(total_orders, total_spent, days_since_last_order) -%}
    case
        when {{ total_orders }} = 0 then 'NEW'
        when {{ days_since_last_order }} > {{ var('churned_after_days') }} then 'CHURNED'
        when {{ total_orders }} >= {{ var('loyal_from_orders') }}
            and {{ total_spent }} > {{ var('vip_above_spent') }} then 'VIP'
        when {{ total_orders }} >= {{ var('loyal_from_orders') }} then 'LOYAL'
        when {{ total_orders }} >= 2 then 'REGULAR'
        when {{ days_since_last_order }} > {{ var('one_time_after_days') }} then 'ONE_TIME'
        else 'ACTIVE'
    end
{%- endmacro %}
