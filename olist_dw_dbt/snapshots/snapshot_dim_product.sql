{% snapshot snapshot_dim_product %}

{%- set attributes = [
    'product_category_name',
    'product_name_length',
    'product_description_length',
    'product_photos_qty',
    'product_weight_g',
    'product_length_cm',
    'product_height_cm',
    'product_width_cm',
] -%}

{{
    config(
        unique_key='product_id',
        check_cols=attributes,
        meta={'affected_by': 'int_affected_products', 'affected_key': 'product_id'},
    )
}}

select
    product_id,
    {{ attributes | join(',\n    ') }},
    _loaded_at
from {{ ref('stg_products') }}
where product_id is not null

{{ undecided_members('products', 'product_id', ref('stg_products'), attributes) }}

{% endsnapshot %}
