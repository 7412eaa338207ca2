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
    The same for the rows of two models and the sums of some columns, each model read once. `pairs` is a list of (model on
    the left, on the right, columns).
-#}
{% macro differences_of(pairs) -%}
    with
    {%- for pair in pairs %}
        {%- set number = loop.index %}
        {%- for side in ['left', 'right'] %}
    {{ side }}_{{ number }} as (
        select
            count(*) as row_count
            {%- for column in pair[2] %},
            sum({{ column }}) as {{ column }}
            {%- endfor %}
        from {{ ref(pair[0] if side == 'left' else pair[1]) }}
    ),
        {%- endfor %}
    {%- endfor %}
    compared as (
    {%- for pair in pairs %}
        {%- set number, outer = loop.index, loop %}
        {%- for column in ['row_count'] + pair[2] %}
        select
            '{{ pair[1] }} {{ column }}' as measure,
            cast(left_{{ number }}.{{ column }} as decimal(18, 2)) as left_value,
            cast(right_{{ number }}.{{ column }} as decimal(18, 2)) as right_value
        from left_{{ number }} cross join right_{{ number }}
        {% if not (loop.last and outer.last) %}union all{% endif %}
        {%- endfor %}
    {%- endfor %}
    )
    select * from compared
    where coalesce(left_value, 0) <> coalesce(right_value, 0)
{%- endmacro %}
