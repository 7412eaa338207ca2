{#- What incremental models share: which orders a run touches, and how their rows are replaced. -#}

{#- A field of a key in etl.changed_keys, as text without outer blanks, as staging takes it. -#}
{% macro key_value(name) -%}
    {{ return(adapter.dispatch('key_value')(name)) }}
{%- endmacro %}

{% macro default__key_value(name) -%}
    trim(json_extract_string(key, '$.{{ name }}'))
{%- endmacro %}

{% macro spark__key_value(name) -%}
    trim(get_json_object(key, '$.{{ name }}'))
{%- endmacro %}

{#- The values of a key column of a source that were touched since the models were last built. -#}
{% macro changed_values(source_name, column) -%}
    select {{ key_value(column) }} as {{ column }}
    from {{ source('etl', 'changed_keys') }}
    where source = '{{ source_name }}' and not is_built and key is not null
{%- endmacro %}

{#- In an incremental run, and only then: the condition that keeps the rows of the affected orders. The model says whether
    it is one, since unit tests can tell only models so. -#}
{% macro where_affected(affected_orders, in_incremental_run) -%}
    {%- if in_incremental_run -%}
    where order_id in (select order_id from {{ affected_orders }})
    {%- endif -%}
{%- endmacro %}

{#-
    An incremental strategy: the rows of the affected orders (the model's meta `affected_orders` names them) are deleted
    and inserted anew, in one transaction. An order that is gone has no new rows, so it goes, too.
-#}
{% macro get_incremental_replace_orders_sql(arguments) -%}
    {%- set columns = get_quoted_csv(arguments['dest_columns'] | map(attribute='name')) -%}
    {%- set affected_orders = ref(config.get('meta')['affected_orders']) -%}
    delete from {{ arguments['target_relation'] }}
    where order_id in (select order_id from {{ affected_orders }});

    insert into {{ arguments['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arguments['temp_relation'] }}
{%- endmacro %}

{#-
    The order and person of every order as int_order_enriched has them from the last run. That model is built from the
    affected orders, so it cannot be referred to here; its table is read as it stands. Before the first run there is none.
-#}
{% macro orders_of_last_run() -%}
    {%- set enriched = api.Relation.create(
        database=target.database, schema='intermediate', identifier='int_order_enriched', type='table'
    ) -%}
    {%- if execute and load_relation(enriched) is not none -%}
    select order_id, customer_unique_id from {{ enriched }}
    {%- else -%}
    select cast(null as {{ dbt.type_string() }}) as order_id, cast(null as {{ dbt.type_string() }}) as customer_unique_id
    where false
    {%- endif -%}
{%- endmacro %}
