{#- What is counted and added up of a set of orders or items, by whatever grain the model groups. -#}

{#- What became of the orders. `orders`: the alias of fact_orders or int_order_enriched, where there are others. -#}
{% macro order_outcomes(orders=none) %}
        {%- set of = orders ~ '.' if orders else '' %}
        count(case when {{ of }}is_delivered then 1 end) as delivered_orders,
        count(case when {{ is_canceled(of ~ 'order_status') }} then 1 end) as canceled_orders,
        count({{ of }}review_score) as reviewed_orders,
        sum({{ of }}review_score) as review_score_sum,
        count(case when {{ of }}is_late_delivery is not null then 1 end) as arrived_orders,
        count(case when {{ of }}is_late_delivery then 1 end) as late_orders
{%- endmacro %}

{#- How many orders, what they came to, and what became of them; from fact_orders. -#}
{% macro order_measures() %}
        count(*) as order_count,
        count(case when has_items then 1 end) as orders_with_items,
        sum(total_amount) as gmv,
        sum(case when is_delivered then total_amount else 0 end) as delivered_gmv,
        sum(total_price) as revenue,
        sum(total_freight) as freight,
        sum(total_payment) as payments,
        {{- order_outcomes() }}
{%- endmacro %}

{#- What the desk measures of orders, for the daily and the monthly executive mart alike. -#}
{% macro executive_order_measures() %}
        {{- order_measures() }},
        count(distinct customer_unique_id) as unique_customers,
        count(case when is_first_order then 1 end) as new_customers
{%- endmacro %}

{#- Of the items of a product, or of a seller, in one order. -#}
{% macro sums_of_items() %}
        count(*) as items,
        sum(price) as revenue,
        sum(freight_value) as freight,
        sum({{ item_amount('price', 'freight_value') }}) as amount
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
        count(case when orders.review_score <= 2 then 1 end) as low_score_orders,
        {{- order_outcomes('orders') }}
{%- endmacro %}
