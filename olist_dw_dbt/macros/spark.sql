{#- What a table of Spark is made of is said in dbt_project.yml: Iceberg, which can change rows and build in a branch. -#}

{#-
    What stands in a schema. dbt-spark asks for all that is known of each table, and takes those of Iceberg for Hive's where
    both share a catalog: it would drop them before it builds them anew.
-#}
{% macro spark__list_relations_without_caching(relation) -%}
    {%- set found = [] -%}
    {%- set views = run_query('show views in ' ~ relation.schema).columns[1].values() -%}
    {%- for row in run_query('show tables in ' ~ relation.schema) -%}
        {%- set about = 'Type: VIEW' if row[1] in views else 'Provider: iceberg' -%}
        {%- do found.append((relation.schema, row[1], false, about)) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#-
    All rows of a model in the place of what its table held. They overwrite it: to replace the table, as dbt-spark does, would
    take its rows from readers, who are to see them until the branch is published. One whose columns have changed must be
    replaced; etl.publication then says, as in the middle of a publication, that the whole is none.
-#}
{% macro write_whole(existing, relation, sql) -%}
    {%- if existing is not none and existing.is_view -%}
        {%- do adapter.drop_relation(existing) -%}
        {%- set existing = none -%}
    {%- endif -%}
    {%- set incoming = incoming_view(sql) if existing is not none else none -%}
    {%- if incoming is not none and column_types(incoming) == column_types(existing) -%}
        {%- call statement('main') -%} insert overwrite {{ relation }} select * from {{ incoming }} {%- endcall -%}
    {%- else -%}
        {%- if existing is not none and adapter.get_relation(none, 'etl', 'publication') is not none -%}
            {%- call statement('replaced') -%} update etl.publication set state = 'publishing' {%- endcall -%}
        {%- endif -%}
        {%- call statement('main') -%} {{ create_table_as(False, relation, sql) }} {%- endcall -%}
    {%- endif -%}
{%- endmacro %}

{#- A view of this session on what a model selects. -#}
{% macro incoming_view(sql) -%}
    {%- set incoming = make_temp_relation(this).include(database=false, schema=false) -%}
    {%- call statement('incoming') -%} {{ create_table_as(True, incoming, sql) }} {%- endcall -%}
    {{ return(incoming) }}
{%- endmacro %}

{% macro column_types(relation) -%}
    {%- set found = [] -%}
    {%- for column in adapter.get_columns_in_relation(relation) -%}
        {%- do found.append((column.name | lower, column.dtype | lower)) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{% materialization table, adapter='spark' %}

    {%- set target_relation = this.incorporate(type='table') -%}

    {{ run_hooks(pre_hooks) }}
    {{ write_whole(load_relation(this), target_relation, compiled_code) }}
    {%- do persist_docs(target_relation, model) -%}
    {{ run_hooks(post_hooks) }}

    {{ return({'relations': [target_relation]}) }}

{% endmaterialization %}

{#-
    As on DuckDB, statement by statement: Spark has no transaction, and needs none, since nobody reads the branch. dbt-spark
    knows no strategies but its own.
-#}
{% materialization incremental, adapter='spark' %}

    {%- set existing = load_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}

    {{ run_hooks(pre_hooks) }}

    {%- if existing is none or should_full_refresh() -%}
        {{ write_whole(existing, target_relation, compiled_code) }}
    {%- else -%}
        {%- set incoming = incoming_view(compiled_code) -%}
        {%- do process_schema_changes(config.get('on_schema_change', 'ignore'), incoming, existing) -%}
        {%- if config.get('incremental_strategy') == 'replace_affected' -%}
            {%- call statement('outgoing') -%} {{ delete_affected(target_relation) }} {%- endcall -%}
        {%- endif -%}
        {%- set columns = adapter.get_columns_in_relation(target_relation) -%}
        {%- call statement('main') -%} {{ insert_all(incoming, target_relation, columns) }} {%- endcall -%}
    {%- endif -%}

    {%- do persist_docs(target_relation, model) -%}
    {{ run_hooks(post_hooks) }}

    {{ return({'relations': [target_relation]}) }}

{% endmaterialization %}

{#- dbt-spark goes by way of seconds since 1970, which a TIMESTAMP_NTZ, a clock on a wall, is not counted in. -#}
{% macro spark__dateadd(datepart, interval, from_date_or_timestamp) -%}
    timestampadd({{ datepart }}, {{ interval }}, cast({{ from_date_or_timestamp }} as timestamp))
{%- endmacro %}
