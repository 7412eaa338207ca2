{#-
    Every key of a fact and of a dimension is in the dimension it points at, and the unknown member stands only
    where the source itself has no such member. The keys of customers, products and sellers in the facts have a
    `relationships` test of their own.
-#}
{%- set keys = [
    ('fact_orders', 'geography_key', 'dim_geography', 'geography_key'),
    ('fact_orders', 'order_date_key', 'dim_date', 'date_key'),
    ('fact_orders', 'approved_date_key', 'dim_date', 'date_key'),
    ('fact_orders', 'carrier_date_key', 'dim_date', 'date_key'),
    ('fact_orders', 'delivery_date_key', 'dim_date', 'date_key'),
    ('fact_orders', 'estimated_delivery_date_key', 'dim_date', 'date_key'),
    ('fact_order_items', 'geography_key', 'dim_geography', 'geography_key'),
    ('fact_order_items', 'order_date_key', 'dim_date', 'date_key'),
    ('fact_order_items', 'delivery_date_key', 'dim_date', 'date_key'),
    ('fact_order_items', 'shipping_limit_date_key', 'dim_date', 'date_key'),
    ('fact_payments', 'order_date_key', 'dim_date', 'date_key'),
    ('fact_reviews', 'order_date_key', 'dim_date', 'date_key'),
    ('fact_reviews', 'review_date_key', 'dim_date', 'date_key'),
    ('dim_customer', 'geography_key', 'dim_geography', 'geography_key'),
    ('dim_seller', 'geography_key', 'dim_geography', 'geography_key'),
    ('dim_product', 'category_key', 'dim_category', 'category_key'),
] -%}
{%- set members = [
    ('fact_orders', 'customer_key', 'customer_id', 'dim_customer'),
    ('fact_order_items', 'product_key', 'product_id', 'dim_product'),
    ('fact_order_items', 'seller_key', 'seller_id', 'dim_seller'),
] -%}

{%- for child, child_key, parent, parent_key in keys %}
select
    '{{ child }}.{{ child_key }} is not in {{ parent }}' as problem,
    count(*) as row_count
from {{ ref(child) }} as child
where not exists (select 1 from {{ ref(parent) }} as parent where parent.{{ parent_key }} = child.{{ child_key }})
having count(*) > 0

union all
{% endfor %}

{%- for fact, key, natural_key, dimension in members %}
select
    '{{ fact }}.{{ key }} is unknown though {{ dimension }} has the member' as problem,
    count(*) as row_count
from {{ ref(fact) }} as fact
where
    fact.{{ key }} = '-1'
    and exists (select 1 from {{ ref(dimension) }} as members where members.{{ natural_key }} = fact.{{ natural_key }})
having count(*) > 0

union all
{% endfor %}

select
    'fact_order_items.customer_key differs from that of its order' as problem,
    count(*) as row_count
from {{ ref('fact_order_items') }} as items
inner join {{ ref('fact_orders') }} as orders on items.order_id = orders.order_id
where items.customer_key <> orders.customer_key
having count(*) > 0
