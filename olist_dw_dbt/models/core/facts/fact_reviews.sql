with reviews as (
    select
        *,
        {{ review_recency_rank() }} as recency_rank
    from {{ ref('stg_order_reviews') }}
    {{ only_affected() }}
),

orders as (
    select * from {{ ref('fact_orders') }}
    {{ only_affected() }}
),

final as (
    select
        {{ generate_surrogate_key(['reviews.review_id', 'reviews.order_id']) }} as review_key,
        reviews.review_id,
        reviews.order_id,
        coalesce(orders.customer_key, '-1') as customer_key,
        coalesce(orders.order_date_key, -1) as order_date_key,
        {{ date_key('reviews.review_creation_date') }} as review_date_key,

        reviews.review_score,
        reviews.review_comment_title is not null as has_comment_title,
        reviews.review_comment_message is not null as has_comment_message,
        reviews.review_creation_date,
        reviews.review_answer_timestamp,
        {{ days_between('reviews.review_creation_date', 'reviews.review_answer_timestamp') }} as days_to_answer,
        reviews.recency_rank = 1 as is_latest_review,

        reviews._loaded_at as created_at
    from reviews
    left join orders on reviews.order_id = orders.order_id
)

select * from final
