-- The current versions are what staging says now, member by member, and the measures the dimensions show add up to
-- those of the facts, gone members included.
{%- set members = [
    ('dim_customer', 'stg_customers', 'customer_id', ['customer_unique_id', 'customer_zip_code_prefix', 'customer_city',
        'customer_state']),
    ('dim_product', 'stg_products', 'product_id', ['product_category_name', 'product_name_length',
        'product_description_length', 'product_photos_qty', 'product_weight_g', 'product_length_cm',
        'product_height_cm', 'product_width_cm']),
    ('dim_seller', 'stg_sellers', 'seller_id', ['seller_zip_code_prefix', 'seller_city', 'seller_state']),
] -%}
{%- set text = dbt.type_string() -%}

{%- for dimension, staging, natural_key, attributes in members %}
select
    '{{ staging }} rows without their current version in {{ dimension }}' as measure,
    cast(count(*) as decimal(18, 2)) as left_value,
    cast(0 as decimal(18, 2)) as right_value
from {{ ref(staging) }} as source
left join {{ ref(dimension) }} as members
    on source.{{ natural_key }} = members.{{ natural_key }}
    and members.is_current
where
    members.{{ natural_key }} is null
    {%- for attribute in attributes %}
    or coalesce(cast(source.{{ attribute }} as {{ text }}), 'unknown')
    <> coalesce(cast(members.{{ attribute }} as {{ text }}), 'unknown')
    {%- endfor %}
having count(*) > 0

union all
{% endfor %}

{{ differences([
    (
        'revenue of known products',
        "select sum(price) from " ~ ref('fact_order_items') ~ " where product_key <> '-1'",
        'select sum(total_revenue) from (select distinct product_id, total_revenue from '
        ~ ref('dim_product') ~ ') as members',
    ),
    (
        'revenue of known sellers',
        "select sum(price) from " ~ ref('fact_order_items') ~ " where seller_key <> '-1'",
        'select sum(total_revenue) from (select distinct seller_id, total_revenue from '
        ~ ref('dim_seller') ~ ') as members',
    ),
    (
        'delivered amount of known customers',
        'select sum(total_amount) from ' ~ ref('fact_orders') ~ ' where is_delivered and customer_unique_id is not null',
        'select sum(total_spent) from (select distinct customer_unique_id, total_spent from '
        ~ ref('dim_customer') ~ ') as people',
    ),
]) }}
