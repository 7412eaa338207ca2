{#- What staging does to every text: outer blanks removed; nothing left is NULL. -#}
{% macro clean_text(column) -%}
    nullif(trim({{ column }}), '')
{%- endmacro %}

{#- City names: lower case, runs of blanks collapsed, outer blanks removed. Spellings are not guessed. -#}
{% macro clean_city(column) -%}
    {{ clean_text(collapse_blanks('lower(' ~ column ~ ')')) }}
{%- endmacro %}

{% macro clean_state(column) -%}
    {{ clean_text('upper(' ~ column ~ ')') }}
{%- endmacro %}

{% macro collapse_blanks(column) -%}
    {{ return(adapter.dispatch('collapse_blanks')(column)) }}
{%- endmacro %}

{% macro default__collapse_blanks(column) -%}
    regexp_replace({{ column }}, '[[:space:]]+', ' ', 'g')
{%- endmacro %}

{#- Spark replaces every match by itself and knows no flag. -#}
{% macro spark__collapse_blanks(column) -%}
    regexp_replace({{ column }}, '[ \t\r\n]+', ' ')
{%- endmacro %}

{#-
    Of a source in raw the current record of each key: that of the file sorting last by name, then the highest line. On
    DuckDB the loader has marked it; to rank all records anew wherever a source is read took most of a small run's time.
-#}
{% macro current_records(key) -%}
    {{ return(adapter.dispatch('current_records')(key)) }}
{%- endmacro %}

{% macro duckdb__current_records(key) -%}
    where _is_current
{%- endmacro %}

{% macro default__current_records(key) -%}
    {%- set cleaned = [] -%}
    {%- for column in key -%} {%- do cleaned.append(cleaned_key(column)) -%} {%- endfor -%}
    {{ current_record_of(cleaned) }}
{%- endmacro %}

{% macro current_record_of(key) -%}
    qualify row_number() over (
        partition by {{ key | join(', ') }}
        order by _source_file desc, _source_line desc
    ) = 1
{%- endmacro %}
