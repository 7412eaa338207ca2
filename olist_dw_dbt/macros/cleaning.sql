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

{#- The current record of a key: that of the file sorting last by name, then the highest line. -#}
{% macro current_record_of(key) -%}
    qualify row_number() over (
        partition by {{ key | join(', ') }}
        order by _source_file desc, _source_line desc
    ) = 1
{%- endmacro %}
