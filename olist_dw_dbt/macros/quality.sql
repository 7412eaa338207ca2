{#-
    What the models of quality share. A subject is a model whose rows are checked: the table of raw that they come from,
    the key that leads back to their record, and which of its rows say what the source says now.
-#}
{% macro quality_subjects() -%}
    {{ return({
        'fact_orders': {'source': 'stg_orders', 'key': ['order_id']},
        'fact_order_items': {'source': 'stg_order_items', 'key': ['order_id', 'order_item_id']},
        'fact_payments': {'source': 'stg_order_payments', 'key': ['order_id', 'payment_sequential']},
        'fact_reviews': {'source': 'stg_order_reviews', 'key': ['review_id', 'order_id']},
        'dim_customer': {
            'source': 'stg_customers', 'key': ['customer_id'], 'where': "is_current and customer_key <> '-1'",
        },
        'dim_product': {
            'source': 'stg_products', 'key': ['product_id'], 'where': "is_current and product_key <> '-1'",
        },
        'dim_seller': {
            'source': 'stg_sellers', 'key': ['seller_id'], 'where': "is_current and seller_key <> '-1'",
        },
        'dim_category': {
            'source': 'stg_category_translation', 'key': ['product_category_name'], 'where': "category_key <> '-1'",
        },
        'stg_geolocation': {
            'source': 'stg_geolocation', 'key': ['geolocation_zip_code_prefix', '_source_file', '_source_line'],
        },
    }) }}
{%- endmacro %}

{#- The rules of models/quality/_rules.yml, or its references, of one subject. -#}
{% macro quality_rules(kind, subject) -%}
    {%- set chosen = [] -%}
    {%- if execute -%}
        {%- set meta = graph.nodes['model.' ~ project_name ~ '.dq_rules'].config.meta -%}
        {%- for rule in meta[kind] if rule.model == subject -%} {%- do chosen.append(rule) -%} {%- endfor -%}
    {%- endif -%}
    {{ return(chosen) }}
{%- endmacro %}

{#- What is found in the rows of all subjects. -#}
{% macro all_findings() -%}
    {%- for subject in quality_subjects() %}
    select * from {{ ref('int_findings_' ~ subject) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
{%- endmacro %}

{#- Whether `olistctl load` has left a ledger; a warehouse that was filled otherwise has none. -#}
{% macro has_ledger() -%}
    {{ return(not execute or load_relation(source('etl', 'source_files')) is not none) }}
{%- endmacro %}

{#-
    The rows of a subject that break a rule, or have a reference that leads nowhere, each with its place in the files.
    `parents` are the models that its references lead to: dbt asks before it knows the rules. The subject is read once for
    all rules; the few rows that break one are then told apart by rule, and their records looked up.
-#}
{% macro find_in(subject, parents=[]) -%}
{{- depends_on_models(parents) -}}
{%- set subjects = quality_subjects() -%}
{%- set about = subjects[subject] -%}
{%- set text = dbt.type_string() -%}
{%- set rules = quality_rules('rules', subject) -%}
with
{%- if rules %}

broken as (
    select *
    from {{ ref(subject) }}
    where
        {{ about.where or 'true' }}
        and (
            {%- for rule in rules %}
            not ({{ rule.condition }}) {%- if not loop.last %} or {%- endif %}
            {%- endfor %}
        )
),
{%- endif %}

found as (
    {%- if rules %}
    select
        {%- for column in about.key %}
        broken.{{ column }},
        {%- endfor %}
        rules.rule,
        case rules.rule
            {%- for rule in rules %}
            when '{{ rule.name }}' then {{ named_values(rule['columns']) }}
            {%- endfor %}
        end as record_values,
        cast(null as {{ text }}) as column_name,
        cast(null as {{ text }}) as missing_value,
        cast(null as {{ text }}) as parent
    from broken
    cross join (
        values
        {%- for rule in rules %}
        ('{{ rule.name }}') {%- if not loop.last %},{% endif %}
        {%- endfor %}
    ) as rules (rule)
    where
        case rules.rule
            {%- for rule in rules %}
            when '{{ rule.name }}' then not ({{ rule.condition }})
            {%- endfor %}
        end

    union all
    {% endif %}
    {%- for reference in quality_rules('references', subject) %}
    {%- if reference.parent not in parents %}
        {%- do exceptions.raise_compiler_error(
            "the reference " ~ reference.name ~ " leads to " ~ reference.parent ~ ": add that to the parents in "
            ~ model.original_file_path
        ) %}
    {%- endif %}
    select
        {%- for column in about.key %}
        child.{{ column }},
        {%- endfor %}
        '{{ reference.name }}' as rule,
        cast(null as {{ text }}) as record_values,
        '{{ reference.column }}' as column_name,
        {{ as_text('child.' ~ reference.column) }} as missing_value,
        '{{ reference.parent }}' as parent
    from {{ ref(subject) }} as child
    where
        {{ about.where or 'true' }}
        and child.{{ reference.column }} is not null
        and not exists (
            select 1
            from {{ ref(reference.parent) }} as parent
            where
                parent.{{ reference.parent_column }} = child.{{ reference.column }}
                {%- if subjects.get(reference.parent, {}).where %}
                and {{ subjects[reference.parent].where }}
                {%- endif %}
        )

    union all
    {% endfor %}

    select
        {%- for column in about.key %}
        child.{{ column }},
        {%- endfor %}
        {%- for column in ['rule', 'record_values', 'column_name', 'missing_value', 'parent'] %}
        cast(null as {{ text }}) as {{ column }} {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ ref(subject) }} as child
    where false
),

origin as (
    {{- origins(about.source, about.key, 'found') }}
),

final as (
    select
        found.rule,
        '{{ subject }}' as model,
        {{ named_values(about.key, 'found') }} as record_key,
        {{ 'found.order_id' if 'order_id' in about.key else 'cast(null as ' ~ text ~ ')' }} as order_id,
        found.record_values,
        found.column_name,
        found.missing_value,
        found.parent,
        origin._source_file as source_file,
        origin._source_line as source_line
    from found
    left join origin on {{ same_key(about.key, 'found', 'origin') }}
)

select * from final
{%- endmacro %}

{% macro as_text(expression) -%}
    cast({{ expression }} as {{ dbt.type_string() }})
{%- endmacro %}

{% macro quoted_text(text) -%}
    {{ dbt.string_literal(dbt.escape_single_quotes(text)) }}
{%- endmacro %}

{#- Columns of a row as text: `order_id=e481f51cbdc54678b7cc49136f2d6af7, order_item_id=1`, at most 300 characters. -#}
{% macro named_values(columns, relation=none) -%}
    {%- set parts = [] -%}
    {%- for column in columns if not column.startswith('_') -%}
        {%- set value = as_text((relation ~ '.' if relation else '') ~ column) -%}
        {%- do parts.append("'" ~ (', ' if not loop.first else '') ~ column ~ "='") -%}
        {%- do parts.append('coalesce(' ~ value ~ ", '')") -%}
    {%- endfor -%}
    substring({{ dbt.concat(parts) }}, 1, 300)
{%- endmacro %}

{#-
    Where the current records of some keys stand: `keys` is a relation that has the columns of `key`. Only these records
    are looked up, so that a few bad rows cost no window over a whole source. A key of which file and line are a part
    says so itself.
-#}
{% macro origins(source_table, key, keys) -%}
    {%- if '_source_file' in key %}
    select distinct {{ key | join(', ') }}
    from {{ keys }}
    {%- else %}
    {%- set cleaned = [] -%}
    {%- for column in key -%} {%- do cleaned.append(cleaned_key(column)) -%} {%- endfor %}
    select
        {%- for column in key %}
        {{ cleaned[loop.index0] }} as {{ column }},
        {%- endfor %}
        _source_file,
        _source_line
    from {{ current_record_of(
        '(select * from ' ~ source('raw', source_table) ~ ' where ' ~ cleaned[0] ~ ' in (select ' ~ as_text(key[0])
        ~ ' from ' ~ keys ~ ')) as candidates',
        cleaned
    ) }}
    {%- endif %}
{%- endmacro %}

{#- A key column of raw, as staging cleans it. -#}
{% macro cleaned_key(column) -%}
    {{ trimmed(as_text('lower(' ~ column ~ ')' if column == 'product_category_name' else column)) }}
{%- endmacro %}

{#-
    A number that equal keys have in common, and hardly ever others: to find the few keys that may stand more than once
    costs half of what grouping the keys themselves does. Whether they do is still for the keys to say.
-#}
{% macro key_number(columns) -%}
    {{ return(adapter.dispatch('key_number')(columns)) }}
{%- endmacro %}

{% macro default__key_number(columns) -%}
    {{ dbt.hash(dbt.concat(columns)) }}
{%- endmacro %}

{% macro duckdb__key_number(columns) -%}
    hash({{ columns | join(', ') }})
{%- endmacro %}

{% macro spark__key_number(columns) -%}
    xxhash64({{ columns | join(', ') }})
{%- endmacro %}

{#- The texts of a group in one, sorted: `a, b, c`. -#}
{% macro sorted_list(column) -%}
    {{ return(adapter.dispatch('sorted_list')(column)) }}
{%- endmacro %}

{% macro default__sorted_list(column) -%}
    {{ dbt.listagg(column, "', '", 'order by ' ~ column) }}
{%- endmacro %}

{#- dbt-spark's listagg knows no order. -#}
{% macro spark__sorted_list(column) -%}
    array_join(array_sort(collect_list({{ column }})), ', ')
{%- endmacro %}

{% macro same_key(key, left, right) -%}
    {%- for column in key -%}
    {{ as_text(left ~ '.' ~ column) }} = {{ as_text(right ~ '.' ~ column) }}
    {%- if not loop.last %} and {% endif -%}
    {%- endfor -%}
{%- endmacro %}

{#-
    How many rows may break a rule that `known_count` of `known_of` rows of the public data break. Of fewer rows the same
    share, and of more the known ones and the same share of what came besides, each within three standard deviations of
    chance: the upper limit of a c-chart (Montgomery, Introduction to Statistical Quality Control, 7.3), with the finite
    population correction where the rows are a part of the public data. All of the public data: exactly the known ones.
-#}
{% macro control_limit(row_count, known_count, known_of) -%}
    {%- set expected = 'cast(' ~ row_count ~ ' * ' ~ known_count ~ ' as double) / ' ~ known_of -%}
    {%- set besides = 'cast((' ~ row_count ~ ' - ' ~ known_of ~ ') * ' ~ known_count ~ ' as double) / ' ~ known_of -%}
    ceil(
        case
            when {{ row_count }} <= {{ known_of }}
                then {{ expected }}
                    + 3 * sqrt({{ expected }} * (1 - cast({{ row_count }} as double) / {{ known_of }}))
            else {{ known_count }} + {{ besides }} + 3 * sqrt({{ besides }})
        end
    )
{%- endmacro %}

{#- What a model of quality has found: a failing row speaks for itself in its column `message`. -#}
{% test findings(model, condition) %}

select *
from {{ model }}
where {{ condition }}

{% endtest %}

{#-
    Days on which Brazil buys unlike on other days: Black Friday (the day after the fourth Thursday of November) with the
    day before and the three after it, and the days around Christmas and New Year.
-#}
{% macro is_shopping_event(day) -%}
    (
        (extract(month from {{ day }}) = 11 and extract(day from {{ day }}) between 22 and 30)
        or (extract(month from {{ day }}) = 12 and (extract(day from {{ day }}) <= 2 or extract(day from {{ day }}) >= 23))
        or (extract(month from {{ day }}) = 1 and extract(day from {{ day }}) <= 2)
    )
{%- endmacro %}

{#-
    What is measured of each column of a file: its nulls, and of a `text` or `code` how many values it has, of a `number`
    its median, of a `scale` both, of an `event` the newest day. A `later` column is empty until the order gets there: a fresh file has less of it than an old one.
-#}
{% macro profiled_columns() -%}
    {{ return({
        'customers': {'customer_zip_code_prefix': 'code', 'customer_city': 'text', 'customer_state': 'code'},
        'orders': {
            'order_purchase_timestamp': 'event', 'order_status': 'later', 'order_approved_at': 'later', 'order_delivered_carrier_date': 'later',
            'order_delivered_customer_date': 'later', 'order_estimated_delivery_date': 'time',
        },
        'order_items': {
            'product_id': 'code', 'seller_id': 'code', 'shipping_limit_date': 'time', 'price': 'number',
            'freight_value': 'number',
        },
        'order_payments': {'payment_type': 'code', 'payment_installments': 'scale', 'payment_value': 'number'},
        'order_reviews': {
            'review_score': 'scale', 'review_comment_title': 'later', 'review_comment_message': 'time',
            'review_creation_date': 'time', 'review_answer_timestamp': 'time',
        },
        'products': {
            'product_category_name': 'code', 'product_name_lenght': 'number', 'product_description_lenght': 'number',
            'product_photos_qty': 'number', 'product_weight_g': 'number', 'product_length_cm': 'number',
            'product_height_cm': 'number', 'product_width_cm': 'number',
        },
        'sellers': {'seller_zip_code_prefix': 'code', 'seller_city': 'text', 'seller_state': 'code'},
        'geolocation': {
            'geolocation_zip_code_prefix': 'code', 'geolocation_lat': 'number', 'geolocation_lng': 'number',
            'geolocation_city': 'text', 'geolocation_state': 'code',
        },
        'category_translation': {'product_category_name_english': 'text'},
    }) }}
{%- endmacro %}

{#- The columns that a fresh file has less of (see profiled_columns). -#}
{% macro later_columns() -%}
    {%- set names = [] -%}
    {%- for columns in profiled_columns().values() -%}
        {%- for column, kind in columns.items() if kind == 'later' -%} {%- do names.append(column) -%} {%- endfor -%}
    {%- endfor -%}
    {{ return(names) }}
{%- endmacro %}
