-- The days of the executive dashboard hold every order and every cent of fact_orders, and every item that has one.
{% set mart = ref('mart_executive_dashboard') %}
{% set orders = ref('fact_orders') %}
{% set items = ref('fact_order_items') %}

{{ differences([
    ('order_count', 'select sum(order_count) from ' ~ mart, 'select count(*) from ' ~ orders),
    ('gmv', 'select sum(gmv) from ' ~ mart, 'select sum(total_amount) from ' ~ orders),
    ('revenue', 'select sum(revenue) from ' ~ mart, 'select sum(total_price) from ' ~ orders),
    ('freight', 'select sum(freight) from ' ~ mart, 'select sum(total_freight) from ' ~ orders),
    ('payments', 'select sum(payments) from ' ~ mart, 'select sum(total_payment) from ' ~ orders),
    ('delivered_gmv', 'select sum(delivered_gmv) from ' ~ mart,
        'select sum(total_amount) from ' ~ orders ~ ' where is_delivered'),
    ('new_customers', 'select sum(new_customers) from ' ~ mart,
        'select count(distinct customer_unique_id) from ' ~ orders),
    ('items_sold', 'select sum(items_sold) from ' ~ mart,
        'select count(*) from ' ~ items ~ ' where order_date_key <> -1'),
]) }}
