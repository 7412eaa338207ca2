{#-
    A difference between two layers. `measures` is a list of (name, SQL of one number on the left, on the right);
    a row comes back for each pair that differs, NULL on one side included.
-#}
{% macro differences(measures) -%}
    select *
    from (
        {%- for name, left, right in measures %}
        select
            '{{ name }}' as measure,
            cast(({{ left }}) as decimal(18, 2)) as left_value,
            cast(({{ right }}) as decimal(18, 2)) as right_value
        {% if not loop.last %}union all{% endif %}
        {%- endfor %}
    ) as compared
    where coalesce(left_value, 0) <> coalesce(right_value, 0)
{%- endmacro %}

{#-
    What the account of rows and reais (models/quality/dq_reconciliation.sql) follows. Of each source the table of raw and
    staging, its key, its columns in reais, and by what a dimension gathers its rows. Each layer is added up on its own, in
    models that an incremental run leaves as they are where nothing below them has changed.
-#}
{% macro reconciled_sources() -%}
    {{ return({
        'customers': {'table': 'stg_customers', 'key': ['customer_id']},
        'orders': {'table': 'stg_orders', 'key': ['order_id']},
        'order_items': {
            'table': 'stg_order_items', 'key': ['order_id', 'order_item_id'], 'reais': ['price', 'freight_value'],
        },
        'order_payments': {
            'table': 'stg_order_payments', 'key': ['order_id', 'payment_sequential'], 'reais': ['payment_value'],
        },
        'order_reviews': {'table': 'stg_order_reviews', 'key': ['review_id', 'order_id']},
        'products': {'table': 'stg_products', 'key': ['product_id']},
        'sellers': {'table': 'stg_sellers', 'key': ['seller_id']},
        'geolocation': {'table': 'stg_geolocation', 'key': [], 'gathered_by': 'geolocation_zip_code_prefix'},
        'category_translation': {'table': 'stg_category_translation', 'key': ['product_category_name']},
    }) }}
{%- endmacro %}

{#- What is measured of a source in each layer: its rows, and each column in reais. -#}
{% macro measures_of(source_name) -%}
    {{ return(['row_count'] + reconciled_sources()[source_name].get('reais', [])) }}
{%- endmacro %}

{#- The dimensions that have a current member for each record of a source. -#}
{% macro members_of_sources() -%}
    {{ return({'customers': 'dim_customer', 'products': 'dim_product', 'sellers': 'dim_seller'}) }}
{%- endmacro %}

{#- Rows `relation`, `measure`, `amount`. `relations` are pairs of a relation of one row and its columns. -#}
{% macro amounts_in(relations) -%}
    {%- for relation, columns in relations %}
    {%- set last = loop.last %}
    {%- for column in columns %}
    select
        '{{ relation }}' as relation,
        '{{ column }}' as measure,
        cast({{ column }} as decimal(18, 2)) as amount
    from {{ relation }}
    {%- if not (last and loop.last) %}
    union all
    {%- endif %}
    {%- endfor %}
    {%- endfor %}
{%- endmacro %}

{#- The amounts of a source: in raw, in staging, and of the records that a later one of their key has replaced. -#}
{% macro amounts_of_source(source_name) -%}
{%- set about = reconciled_sources()[source_name] -%}
{%- set raw = source('raw', about.table) -%}
{%- set cleaned = [] -%}
{%- for column in about.key -%} {%- do cleaned.append(cleaned_key(column)) -%} {%- endfor -%}
{%- set measured = [('raw_' ~ source_name, measures_of(source_name)), ('staging_' ~ source_name, measures_of(source_name))] -%}
with raw_{{ source_name }} as (
    select {{ measured_columns(source_name) }}
    from {{ raw }}
),

staging_{{ source_name }} as (
    select {{ measured_columns(source_name) }}
    from {{ ref(about.table) }}
),
{%- if about.key %}
{%- do measured.append(('replaced_' ~ source_name, measures_of(source_name))) %}

-- The records of a key but the last one, by file name and line.
replaced_{{ source_name }} as (
    select {{ measured_columns(source_name) }}
    from (
        select
            *,
            row_number() over (
                partition by {{ cleaned | join(', ') }}
                order by _source_file desc, _source_line desc
            ) as recency
        from {{ raw }}
        where {{ key_number(cleaned) }} in (
            select {{ key_number(cleaned) }}
            from {{ raw }}
            group by {{ key_number(cleaned) }}
            having count(*) > 1
        )
    ) as repeated
    where recency > 1
),
{%- endif %}
{%- if about.gathered_by %}
{%- do measured.append(('further_' ~ source_name, ['row_count'])) %}

further_{{ source_name }} as (
    select count({{ about.gathered_by }}) - count(distinct {{ about.gathered_by }}) as row_count
    from {{ ref(about.table) }}
),
{%- endif %}

final as (
    {{- amounts_in(measured) }}
)

select * from final
{%- endmacro %}

{#- The SQL of what is measured of a source. -#}
{% macro measured_columns(source_name) -%}
    count(*) as row_count
    {%- for column in measures_of(source_name)[1:] %}, sum({{ column }}) as {{ column }}{%- endfor %}
{%- endmacro %}
