{#- One line in the log for a model; silent while dbt parses. Gives no SQL. -#}
{% macro log_model(text) -%}
    {%- if execute -%} {%- do log(text ~ ' ' ~ this.identifier, info=true) -%} {%- endif -%}
{%- endmacro %}
