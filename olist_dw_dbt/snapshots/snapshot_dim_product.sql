{% snapshot snapshot_dim_product %}

{{
    config(
        unique_key='product_id',
        check_cols=[
            'product_category_name',
            'product_name_length',
            'product_description_length',
            'product_photos_qty',
            'product_weight_g',
            'product_length_cm',
            'product_height_cm',
            'product_width_cm',
        ],
    )
}}

select
    product_id,
    product_category_name,
    product_name_length,
    product_description_length,
    product_photos_qty,
    product_weight_g,
    product_length_cm,
    product_height_cm,
    product_width_cm,
    _loaded_at
from {{ ref('stg_products') }}
where product_id is not null

{% endsnapshot %}
