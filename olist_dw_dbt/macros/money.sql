{#- Money per something: a ratio of sums, rounded half up to the cent once; NULL where there is nothing to divide by.
    Counted in whole cents, so that a tie is exactly a tie and every engine rounds it the same way. -#}
{% macro money_ratio(amount, divisor) -%}
    cast(
        floor(
            (2 * cast(cast(({{ amount }}) * 100 as bigint) as double) + ({{ divisor }}))
            / nullif(cast(2 * ({{ divisor }}) as double), 0)
        ) / cast(100 as double) as decimal(18, 2)
    )
{%- endmacro %}

{#- What the buyer pays for an item. -#}
{% macro item_amount(price, freight) -%}
    cast({{ price }} + {{ freight }} as decimal(18, 2))
{%- endmacro %}
