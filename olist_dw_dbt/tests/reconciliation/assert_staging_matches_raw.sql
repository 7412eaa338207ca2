-- Staging has every key that raw has, once. What raw holds besides are records that a later file replaced.
{%- set keys = {
    'stg_customers': ['customer_id'],
    'stg_orders': ['order_id'],
    'stg_order_items': ['order_id', 'order_item_id'],
    'stg_order_payments': ['order_id', 'payment_sequential'],
    'stg_order_reviews': ['review_id', 'order_id'],
    'stg_products': ['product_id'],
    'stg_sellers': ['seller_id'],
    'stg_category_translation': ['product_category_name'],
} %}
{%- set measures = [(
    'stg_geolocation rows',
    'select count(*) from ' ~ source('raw', 'stg_geolocation'),
    'select count(*) from ' ~ ref('stg_geolocation'),
)] %}
{%- for table, key in keys.items() %}
    {%- set cleaned = [] %}
    {%- for column in key %}
        {%- do cleaned.append('trim(cast(' ~ column ~ ' as ' ~ dbt.type_string() ~ '))') %}
    {%- endfor %}
    {%- if table == 'stg_category_translation' %}
        {%- set cleaned = ['lower(trim(product_category_name))'] %}
    {%- endif %}
    {%- do measures.append((
        table ~ ' keys',
        'select count(*) from (select distinct ' ~ cleaned | join(', ') ~ ' from ' ~ source('raw', table) ~ ') as keys',
        'select count(*) from ' ~ ref(table),
    )) %}
{%- endfor %}
{{ differences(measures) }}
