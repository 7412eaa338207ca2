with source as (
    select *
    from {{ current_records(source('raw', 'stg_order_reviews'), ['review_id', 'order_id']) }}
),

cleaned as (
    select
        {{ trimmed('review_id') }} as review_id,
        {{ trimmed('order_id') }} as order_id,
        review_score,
        {{ clean_text('review_comment_title') }} as review_comment_title,
        {{ clean_text('review_comment_message') }} as review_comment_message,
        review_creation_date,
        review_answer_timestamp,
        _source_file,
        _source_line,
        _loaded_at,
        _run_id
    from source
),

final as (
    select * from cleaned
)

select * from final
