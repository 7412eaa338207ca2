{#- 1 for the latest review of an order: by answer time, then creation date, then review_id. -#}
{% macro review_recency_rank() -%}
    row_number() over (
        partition by order_id
        order by
            review_answer_timestamp desc nulls last,
            review_creation_date desc nulls last,
            review_id desc
    )
{%- endmacro %}
