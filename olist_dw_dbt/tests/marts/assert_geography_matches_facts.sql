-- Flows between states hold every item to the cent; states, regions and the country hold every order and every item;
-- what stays, comes in and goes out adds up.
{% set flows = ref('mart_state_flows') %}
{% set areas = ref('mart_geographic_analysis') %}
{% set orders = ref('fact_orders') %}
{% set items = ref('fact_order_items') %}
{% set measures = [
    ('flows.items_sold', 'select sum(items_sold) from ' ~ flows, 'select count(*) from ' ~ items),
    ('flows.revenue', 'select sum(revenue) from ' ~ flows, 'select sum(price) from ' ~ items),
    ('flows.freight', 'select sum(freight) from ' ~ flows, 'select sum(freight_value) from ' ~ items),
    ('flows.gmv', 'select sum(gmv) from ' ~ flows, 'select sum(total_amount) from ' ~ items),
    ('inbound_and_outbound',
        'select sum(outbound_gmv - inbound_gmv) from ' ~ areas, 'select sum(sold_gmv - gmv) from ' ~ areas),
] %}
{% for level in ['state', 'region', 'country'] %}
    {% for name, fact_measure, fact in [
        ('order_count', 'count(*)', orders),
        ('gmv', 'sum(total_amount)', orders),
        ('revenue', 'sum(total_price)', orders),
        ('payments', 'sum(total_payment)', orders),
        ('late_orders', 'sum(case when is_late_delivery then 1 else 0 end)', orders),
        ('items_sold', 'count(*)', items),
        ('sold_revenue', 'sum(price)', items),
        ('sold_gmv', 'sum(total_amount)', items),
    ] %}
        {% do measures.append((
            level ~ '.' ~ name,
            'select sum(' ~ name ~ ') from ' ~ areas ~ " where area_level = '" ~ level ~ "'",
            'select ' ~ fact_measure ~ ' from ' ~ fact,
        )) %}
    {% endfor %}
{% endfor %}

{{ differences(measures) }}
