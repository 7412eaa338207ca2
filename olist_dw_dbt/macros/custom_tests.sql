{#-
    Generic tests. A condition that comes out NULL has not been shown to hold: it fails, unless the test says
    `allow_null: true`.
-#}

{% test expression_is_true(model, expression, column_name=none, allow_null=false) %}

{#- On a column the expression follows the column's name: `expression: ">= 0"`. -#}
{%- set condition = ((column_name ~ ' ') if column_name else '') ~ expression -%}
select *
from {{ model }}
where
    {%- if allow_null %}
    not ({{ condition }})
    {%- else %}
    not coalesce({{ condition }}, false)
    {%- endif %}

{% endtest %}

{% test positive_values(model, column_name, allow_null=false) %}

select *
from {{ model }}
where {{ column_name }} <= 0 {%- if not allow_null %} or {{ column_name }} is null {%- endif %}

{% endtest %}

{% test not_negative(model, column_name, allow_null=false) %}

select *
from {{ model }}
where {{ column_name }} < 0 {%- if not allow_null %} or {{ column_name }} is null {%- endif %}

{% endtest %}

{% test accepted_range(model, column_name, min_value=none, max_value=none, allow_null=false) %}

select *
from {{ model }}
where
    false
    {%- if min_value is not none %} or {{ column_name }} < {{ min_value }} {%- endif %}
    {%- if max_value is not none %} or {{ column_name }} > {{ max_value }} {%- endif %}
    {%- if not allow_null %} or {{ column_name }} is null {%- endif %}

{% endtest %}

{% test unique_combination(model, columns) %}

select
    {{ columns | join(', ') }},
    count(*) as row_count
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1

{% endtest %}

{#- One node for all columns of a model that are never NULL; a failure names the column and the count. -#}
{% test never_null(model, columns) %}

{%- for column in columns %}
select
    '{{ column }}' as column_name,
    count(*) as null_count
from {{ model }}
where {{ column }} is null
having count(*) > 0
{% if not loop.last %}union all{% endif %}
{%- endfor %}

{% endtest %}

{#-
    The versions of every member start at 1900-01-01 and follow each other without gap and overlap; the last one is
    open and current, or closed and not (a member that is gone).
-#}
{% test versions_cover_all_time(model, natural_key) %}

with neighbours as (
    select
        {{ natural_key }},
        effective_from,
        effective_to,
        is_current,
        lag(effective_to) over (partition by {{ natural_key }} order by effective_from) as previous_to,
        row_number() over (partition by {{ natural_key }} order by effective_from) as version_number,
        count(*) over (partition by {{ natural_key }}) as version_count
    from {{ model }}
)

select *
from neighbours
where
    (version_number = 1 and effective_from <> {{ first_version_from() }})
    or (version_number > 1 and (previous_to is null or previous_to <> effective_from))
    or (version_number < version_count and (is_current or effective_to is null))
    or (version_number = version_count and is_current <> (effective_to is null))
    or effective_to <= effective_from

{% endtest %}
