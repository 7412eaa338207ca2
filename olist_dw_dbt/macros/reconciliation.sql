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
