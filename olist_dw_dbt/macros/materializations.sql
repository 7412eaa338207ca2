{#-
    A table takes the place of the old one in one transaction and one call. dbt-duckdb moves the old one away, looks for
    its indexes, and drops it in a transaction of its own, for readers of the very file in which models are built: a
    dozen statements for each of three dozen models, of which a warehouse that is published as a whole needs none.
-#}
{% materialization table, adapter='duckdb' %}

    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set intermediate = make_intermediate_relation(target_relation) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {#- Made beside the old one, which a model may read: what dq_daily_anomalies has seen before, for one. -#}
    {%- call statement('main') -%}
        drop table if exists {{ intermediate }};
        {{ create_table_as(False, intermediate, compiled_code) }};
        {%- if existing is not none %}
        drop {{ existing.type }} {{ existing }};
        {%- endif %}
        alter table {{ intermediate }} rename to {{ adapter.quote(this.identifier) }}
    {%- endcall -%}

    {%- do create_indexes(target_relation) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do persist_docs(target_relation, model) -%}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}

{% endmaterialization %}
