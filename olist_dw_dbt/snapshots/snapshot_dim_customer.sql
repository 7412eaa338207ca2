{% snapshot snapshot_dim_customer %}

{%- set attributes = [
    'customer_unique_id',
    'customer_zip_code_prefix',
    'customer_city',
    'customer_state',
] -%}

{{
    config(
        unique_key='customer_id',
        check_cols=attributes,
    )
}}

select
    customer_id,
    {{ attributes | join(',\n    ') }},
    _loaded_at
from {{ ref('stg_customers') }}
where customer_id is not null

{{ undecided_members('customers', 'customer_id', ref('stg_customers'), attributes) }}

{% endsnapshot %}
