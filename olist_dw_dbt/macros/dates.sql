{#- yyyymmdd of a date or timestamp; -1, the unknown day of dim_date, where it is NULL. -#}
{% macro date_key(moment) -%}
    coalesce(
        cast(
            extract(year from {{ moment }}) * 10000
            + extract(month from {{ moment }}) * 100
            + extract(day from {{ moment }})
            as integer
        ),
        -1
    )
{%- endmacro %}

{#- Days between two moments = midnights crossed, everywhere in this project. -#}
{% macro days_between(first, second) -%}
    cast({{ dbt.datediff(first, second, 'day') }} as integer)
{%- endmacro %}

{#- The day that stands for "now", as a scalar; its home is int_as_of_date. -#}
{% macro as_of_date() -%}
    (select as_of_date from {{ ref('int_as_of_date') }})
{%- endmacro %}

{#- '2018-01' of a date or timestamp. -#}
{% macro year_month(moment) -%}
    {{ dbt.concat([
        'cast(extract(year from ' ~ moment ~ ') as ' ~ dbt.type_string() ~ ')',
        "'-'",
        'lpad(cast(extract(month from ' ~ moment ~ ') as ' ~ dbt.type_string() ~ "), 2, '0')",
    ]) }}
{%- endmacro %}

{#- 1 = Monday … 7 = Sunday. Counted from a known Monday: every engine numbers weekdays in its own way. -#}
{% macro iso_day_of_week(date) -%}
    {%- set days = days_between("cast('1900-01-01' as date)", date) -%}
    cast((({{ days }} % 7) + 7) % 7 + 1 as integer)
{%- endmacro %}

{#- The nth of a list of names. -#}
{% macro name_of(number, names) -%}
    case {{ number }}
        {%- for name in names %}
        when {{ loop.index }} then '{{ name }}'
        {%- endfor %}
    end
{%- endmacro %}
