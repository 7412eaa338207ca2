-- From staging to the facts no row and no cent is lost or doubled.
{{ differences_of([
    ('stg_orders', 'fact_orders', []),
    ('stg_order_items', 'fact_order_items', ['price', 'freight_value']),
    ('stg_order_payments', 'fact_payments', ['payment_value']),
    ('stg_order_reviews', 'fact_reviews', ['review_score']),
]) }}
