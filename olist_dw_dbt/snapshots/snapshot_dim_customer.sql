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
        meta={'affected_by': 'int_affected_customers', 'affected_key': 'customer_id'},
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
