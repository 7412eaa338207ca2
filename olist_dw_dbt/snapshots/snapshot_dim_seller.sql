{% snapshot snapshot_dim_seller %}

{{
    config(
        unique_key='seller_id',
        check_cols=[
            'seller_zip_code_prefix',
            'seller_city',
            'seller_state',
        ],
    )
}}

select
    seller_id,
    seller_zip_code_prefix,
    seller_city,
    seller_state,
    _loaded_at
from {{ ref('stg_sellers') }}
where seller_id is not null

{% endsnapshot %}
