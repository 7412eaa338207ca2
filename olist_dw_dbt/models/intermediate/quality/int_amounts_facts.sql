{%- set belongings = ['fact_order_items', 'fact_payments', 'fact_reviews'] -%}
with fact_orders as (
    select
        count(*) as row_count,
        sum(case when has_items then 0 else 1 end) as without_items
    from {{ ref('fact_orders') }}
),

-- Looked for once, in the rows of all three facts.
missing_orders as (
    select order_id
    from (
        {%- for fact in belongings %}
        select order_id from {{ ref(fact) }}
        {%- if not loop.last %}
        union all
        {%- endif %}
        {%- endfor %}
    ) as belongings
    where order_id not in (select order_id from {{ ref('fact_orders') }})
),
{%- for fact in belongings %}

rows_of_{{ fact }} as (
    select
        *,
        order_id in (select order_id from missing_orders) as is_orphan
    from {{ ref(fact) }}
),
{%- endfor %}

fact_order_items as (
    select
        count(*) as row_count,
        sum(price) as price,
        sum(freight_value) as freight_value,
        sum(case when is_orphan then 1 else 0 end) as orphans,
        sum(case when is_orphan then price else 0 end) as orphan_price,
        sum(case when is_orphan then freight_value else 0 end) as orphan_freight_value
    from rows_of_fact_order_items
),

fact_payments as (
    select
        count(*) as row_count,
        sum(payment_value) as payment_value,
        sum(case when is_orphan then payment_value else 0 end) as orphan_payment_value
    from rows_of_fact_payments
),

fact_reviews as (
    select
        count(*) as row_count,
        sum(case when is_orphan then 1 else 0 end) as orphans,
        sum(case when is_latest_review or is_orphan then 0 else 1 end) as earlier
    from rows_of_fact_reviews
),

final as (
    {{- amounts_in([
        ('fact_orders', ['row_count', 'without_items']),
        ('fact_order_items', [
            'row_count', 'price', 'freight_value', 'orphans', 'orphan_price', 'orphan_freight_value',
        ]),
        ('fact_payments', ['row_count', 'payment_value', 'orphan_payment_value']),
        ('fact_reviews', ['row_count', 'orphans', 'earlier']),
    ]) }}
)

select * from final
