-- Products and sellers hold every item of fact_order_items, to the cent.
{% set items = ref('fact_order_items') %}
{% set measures = [] %}
{% for mart in [ref('mart_product_performance'), ref('mart_seller_scorecard')] %}
    {% for name, fact_measure in [
        ('items_sold', 'count(*)'),
        ('revenue', 'sum(price)'),
        ('freight', 'sum(freight_value)'),
        ('gmv', 'sum(total_amount)'),
    ] %}
        {% do measures.append((
            mart.identifier ~ '.' ~ name,
            'select sum(' ~ name ~ ') from ' ~ mart,
            'select ' ~ fact_measure ~ ' from ' ~ items,
        )) %}
    {% endfor %}
{% endfor %}
{% do measures.append((
    'category_revenue',
    'select sum(category_revenue) from ' ~ ref('mart_product_performance') ~ ' where category_rank = 1',
    'select sum(price) from ' ~ items,
)) %}

{{ differences(measures) }}
