-- What fact_orders says of an order is what its items, payments and reviews say, order by order. Rows whose order
-- is missing belong to no order and are not compared.
with orders as (
    select * from {{ ref('fact_orders') }}
),

items as (
    select
        order_id,
        count(*) as total_items,
        sum(price) as total_price,
        sum(freight_value) as total_freight,
        sum(total_amount) as total_amount
    from {{ ref('fact_order_items') }}
    group by order_id
),

payments as (
    select
        order_id,
        count(*) as payment_count,
        sum(payment_value) as total_payment
    from {{ ref('fact_payments') }}
    group by order_id
),

reviews as (
    select
        order_id,
        count(*) as review_count,
        sum(case when is_latest_review then 1 else 0 end) as latest_reviews,
        max(case when is_latest_review then review_score end) as review_score
    from {{ ref('fact_reviews') }}
    group by order_id
)

select
    orders.order_id,
    orders.total_amount,
    items.total_amount as amount_of_items,
    orders.total_payment,
    payments.total_payment as amount_of_payments,
    orders.review_score,
    reviews.review_score as score_of_latest_review
from orders
left join items on orders.order_id = items.order_id
left join payments on orders.order_id = payments.order_id
left join reviews on orders.order_id = reviews.order_id
where
    orders.total_items <> coalesce(items.total_items, 0)
    or orders.total_price <> coalesce(items.total_price, 0)
    or orders.total_freight <> coalesce(items.total_freight, 0)
    or orders.total_amount <> coalesce(items.total_amount, 0)
    or orders.payment_count <> coalesce(payments.payment_count, 0)
    or orders.total_payment <> coalesce(payments.total_payment, 0)
    or orders.review_count <> coalesce(reviews.review_count, 0)
    or coalesce(reviews.latest_reviews, 1) <> 1
    or coalesce(orders.review_score, -1) <> coalesce(reviews.review_score, -1)
