-- From staging to the facts no row and no cent is lost or doubled.
{%- set facts = [
    ('stg_orders', 'fact_orders', []),
    ('stg_order_items', 'fact_order_items', ['price', 'freight_value']),
    ('stg_order_payments', 'fact_payments', ['payment_value']),
    ('stg_order_reviews', 'fact_reviews', ['review_score']),
] %}
{%- set measures = [] %}
{%- for staging, fact, amounts in facts %}
    {%- do measures.append((
        fact ~ ' rows',
        'select count(*) from ' ~ ref(staging),
        'select count(*) from ' ~ ref(fact),
    )) %}
    {%- for amount in amounts %}
        {%- do measures.append((
            fact ~ ' ' ~ amount,
            'select sum(' ~ amount ~ ') from ' ~ ref(staging),
            'select sum(' ~ amount ~ ') from ' ~ ref(fact),
        )) %}
    {%- endfor %}
{%- endfor %}
{{ differences(measures) }}
