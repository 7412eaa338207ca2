{% snapshot snapshot_dim_customer %}

{{
    config(
        unique_key='customer_id',
        check_cols=[
            'customer_unique_id',
            'customer_zip_code_prefix',
            'customer_city',
            'customer_state',
        ],
    )
}}

select
    customer_id,
    customer_unique_id,
    customer_zip_code_prefix,
    customer_city,
    customer_state,
    _loaded_at
from {{ ref('stg_customers') }}
where customer_id is not null

{% endsnapshot %}
