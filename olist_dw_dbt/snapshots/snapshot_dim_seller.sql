{% snapshot snapshot_dim_seller %}

{%- set attributes = [
    'seller_zip_code_prefix',
    'seller_city',
    'seller_state',
] -%}

{{
    config(
        unique_key='seller_id',
        check_cols=attributes,
        meta={'affected_by': 'int_affected_sellers', 'affected_key': 'seller_id'},
    )
}}

select
    seller_id,
    {{ attributes | join(',\n    ') }},
    _loaded_at
from {{ ref('stg_sellers') }}
where seller_id is not null

{{ undecided_members('sellers', 'seller_id', ref('stg_sellers'), attributes) }}

{% endsnapshot %}
