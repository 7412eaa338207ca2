{#-
    Incremental models. The loader says in etl.changed_keys which records came, changed or went since the models were
    last built; the models int_affected_* say which orders and members that touches; facts and dimensions replace the
    rows of these.
-#}

{#- The text of a column in a key of etl.changed_keys, a JSON object. NULL where it has no such column. -#}
{% macro key_value(key, name) -%}
    {{ return(adapter.dispatch('key_value')(key, name)) }}
{%- endmacro %}

{% macro default__key_value(key, name) -%}
    json_value({{ key }}, '$."{{ name }}"')
{%- endmacro %}

{% macro duckdb__key_value(key, name) -%}
    json_extract_string({{ key }}, '$."{{ name }}"')
{%- endmacro %}

{% macro spark__key_value(key, name) -%}
    get_json_object({{ key }}, '$.{{ name }}')
{%- endmacro %}

{#- The values of a key column that changed since the last build, cleaned as staging cleans them. -#}
{% macro changed_values(name) -%}
    select distinct {{ clean_text(key_value('key', name)) }} as {{ name }}
    from {{ source('etl', 'changed_keys') }}
    where
        not is_built
        and key is not null
        and source in ('{{ followed_by()[name] | join("', '") }}')
{%- endmacro %}

{#-
    How much the incremental models are to replace:
      none     they do not exist, or are built anew: there is nothing to replace
      all      one of them does not exist, or the changes are not known: there is no etl.changed_keys, a source was
               loaded anew, or the contract gives a source a key that lacks the column by which it is followed
      changed  what the changed keys touch
-#}
{% macro extent_of_replacement() -%}
    {%- if not execute -%} {{ return('changed') }} {%- endif -%}
    {%- set built = built_relations(replacing_models()) -%}
    {%- if should_full_refresh() or not built -%} {{ return('none') }} {%- endif -%}
    {%- set changes_are_noted = load_relation(source('etl', 'changed_keys')) is not none -%}
    {%- if built | length < replacing_models() | length or not changes_are_noted -%} {{ return('all') }} {%- endif -%}
    {{ return('all' if run_query(unknown_changes()).columns[0].values()[0] > 0 else 'changed') }}
{%- endmacro %}

{#- A query that counts the changes of which nobody knows what they touch. -#}
{% macro unknown_changes() -%}
    select count(*)
    from {{ source('etl', 'changed_keys') }}
    where
        not is_built
        and (
            change = 'rebuilt'
            {%- for name, sources in followed_by().items() %}
            or (source in ('{{ sources | join("', '") }}') and not {{ has_key_column('key', name) }})
            {%- endfor %}
        )
{%- endmacro %}

{#- The sources by the column of their keys that says which orders a change touches. -#}
{% macro followed_by() -%}
    {{ return({
        'order_id': ['orders', 'order_items', 'order_payments', 'order_reviews'],
        'customer_id': ['customers'],
        'geolocation_zip_code_prefix': ['geolocation'],
        'product_id': ['products'],
        'product_category_name': ['category_translation'],
        'seller_id': ['sellers'],
    }) }}
{%- endmacro %}

{#- Whether a key has a column. Quotes are escaped within a value, so the quoted name stands in no value. -#}
{% macro has_key_column(key, name) -%}
    ({{ key }} like '%"{{ name }}":%')
{%- endmacro %}

{#- The models that hold orders; the first two hold every one with its person. -#}
{% macro models_by_order() -%}
    {{ return(['int_order_enriched', 'fact_orders', 'fact_order_items', 'fact_payments', 'fact_reviews']) }}
{%- endmacro %}

{#- The models that replace the rows of what is affected. -#}
{% macro replacing_models() -%}
    {{ return(models_by_order() + [
        'dim_customer', 'dim_product', 'dim_seller',
        'int_customer_metrics', 'int_product_metrics', 'int_seller_metrics',
    ]) }}
{%- endmacro %}

{#-
    Those of the models that stand in the warehouse and are incremental, as the last build left them. They are looked up
    and not ref'd: they depend on the lists, which ask.
-#}
{% macro built_relations(names) -%}
    {%- set relations = [] -%}
    {%- set nodes = graph.nodes.values() if execute else [] -%}
    {%- for node in nodes if node.resource_type == 'model' and node.name in names -%}
        {%- set relation = adapter.get_relation(node.database, node.schema, node.alias) -%}
        {%- if node.config.materialized == 'incremental' and relation is not none -%}
            {%- do relations.append(relation) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(relations) }}
{%- endmacro %}

{#- The union of some columns of the models as the last build left them. -#}
{% macro built_rows(names, columns) -%}
    {%- for relation in built_relations(names) %}
    select {{ columns | join(', ') }} from {{ relation }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- else %}
    select
        {%- for column in columns %}
        cast(null as {{ dbt.type_string() }}) as {{ column }} {%- if not loop.last %},{% endif %}
        {%- endfor %}
    where false
    {%- endfor %}
{%- endmacro %}

{% macro depends_on_models(names) -%}
    {%- if not execute -%} {%- for name in names -%} {%- do ref(name) -%} {%- endfor -%} {%- endif -%}
{%- endmacro %}

{#- Makes a list of what is affected depend on models that its SQL does not read, and on what keeps a member's version. -#}
{% macro depends_on(names) -%}
    {{- depends_on_models(names) -}}
    {%- if not execute -%} {%- do source('etl', 'quarantine') -%} {%- endif -%}
{%- endmacro %}

{#-
    In an incremental run, the `where` that keeps what is affected. `affected` is the model that lists it by `key`.
-#}
{% macro only_affected(affected='int_affected_orders', key='order_id') -%}
    {%- if is_incremental() or not execute -%} where {{ is_affected(affected, key) }} {%- endif -%}
{%- endmacro %}

{% macro is_affected(affected, key) -%}
    {{ key }} in (select {{ key }} from {{ ref(affected) }})
{%- endmacro %}

{#-
    Incremental strategy `replace_affected`: all rows of what is affected go, those that the model selects come, in one
    transaction. So rows that are gone at the source go as well, which delete+insert and merge would keep.
-#}
{% macro get_incremental_replace_affected_sql(arguments) -%}
    {{ delete_affected(arguments['target_relation']) }};
    {{ insert_all(arguments['temp_relation'], arguments['target_relation'], arguments['dest_columns']) }}
{%- endmacro %}

{#- meta.affected_by names the list where it is not int_affected_orders, meta.affected_key its column. -#}
{% macro delete_affected(relation) -%}
    {%- set meta = config.get('meta', {}) -%}
    delete from {{ relation }}
    where {{ is_affected(meta.get('affected_by', 'int_affected_orders'), meta.get('affected_key', 'order_id')) }}
{%- endmacro %}

{% macro insert_all(incoming, relation, columns) -%}
    {%- set names = get_quoted_csv(columns | map(attribute='name')) -%}
    insert into {{ relation }} ({{ names }})
    select {{ names }} from {{ incoming }}
{%- endmacro %}
