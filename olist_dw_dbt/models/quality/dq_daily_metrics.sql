{#-
    The business day by day. Each series is dated by an event that is over when it is delivered (the purchase, the arrival,
    the survey), so that a fresh day can be compared with an old one. `sample_size` is how many records a value is made of.
-#}
with days_in_data as (
    select
        min(cast(order_purchase_timestamp as date)) as first_date,
        max(cast(order_purchase_timestamp as date)) as last_date
    from {{ ref('fact_orders') }}
),

calendar as (
    select dates.full_date
    from {{ ref('dim_date') }} as dates
    inner join days_in_data on dates.full_date between days_in_data.first_date and days_in_data.last_date
),

orders as (
    select
        cast(order_purchase_timestamp as date) as metric_date,
        count(*) as orders,
        sum(total_amount) as gmv,
        sum(total_payment) as payments,
        avg(case when has_items then 0 else 1 end) as share_without_items,
        avg(case when has_payment then 0 else 1 end) as share_without_payment,
        avg(case when customer_key = '-1' then 1 else 0 end) as share_without_customer,
        sum(total_items) as items,
        max(created_at) as _loaded_at
    from {{ ref('fact_orders') }}
    group by cast(order_purchase_timestamp as date)
),

items as (
    select
        dates.full_date as metric_date,
        count(*) as items,
        median(cast(price as double)) as price,
        median(cast(freight_value as double)) as freight,
        avg(case when product_key = '-1' or seller_key = '-1' then 1 else 0 end) as share_without_parent,
        max(items.created_at) as _loaded_at
    from {{ ref('fact_order_items') }} as items
    inner join {{ ref('dim_date') }} as dates on items.order_date_key = dates.date_key
    where items.order_date_key <> -1
    group by dates.full_date
),

payments as (
    select
        dates.full_date as metric_date,
        count(*) as payments,
        median(cast(payment_value as double)) as payment_value,
        avg(case when payment_type = 'credit_card' then 1 else 0 end) as share_credit_card,
        max(payments.created_at) as _loaded_at
    from {{ ref('fact_payments') }} as payments
    inner join {{ ref('dim_date') }} as dates on payments.order_date_key = dates.date_key
    where payments.order_date_key <> -1
    group by dates.full_date
),

reviews as (
    select
        cast(review_creation_date as date) as metric_date,
        count(*) as reviews,
        avg(cast(review_score as double)) as review_score,
        avg(case when has_comment_message then 1 else 0 end) as share_with_message,
        max(created_at) as _loaded_at
    from {{ ref('fact_reviews') }}
    where review_creation_date is not null
    group by cast(review_creation_date as date)
),

arrivals as (
    select
        cast(order_delivered_customer_date as date) as metric_date,
        count(*) as arrivals,
        avg(case when is_late_delivery then 1 else 0 end) as late_share,
        median(days_to_deliver) as days_to_deliver,
        max(created_at) as _loaded_at
    from {{ ref('fact_orders') }}
    where order_delivered_customer_date is not null
    group by cast(order_delivered_customer_date as date)
),

final as (
    {%- for metric, kind, value, size, relation in [
        ('orders', 'count', 'coalesce(orders.orders, 0)', 'coalesce(orders.orders, 0)', 'orders'),
        ('gmv', 'amount', 'coalesce(orders.gmv, 0)', 'coalesce(orders.orders, 0)', 'orders'),
        ('items per order', 'level', 'cast(orders.items as double) / orders.orders', 'orders.orders', 'orders'),
        ('payments per reais of items', 'level', 'cast(orders.payments as double) / nullif(orders.gmv, 0)',
            'orders.orders', 'orders'),
        ('share of orders without items', 'share', 'orders.share_without_items', 'orders.orders', 'orders'),
        ('share of orders without payment', 'share', 'orders.share_without_payment', 'orders.orders', 'orders'),
        ('share of orders without customer', 'share', 'orders.share_without_customer', 'orders.orders', 'orders'),
        ('median price', 'amount', 'items.price', 'items.items', 'items'),
        ('median freight', 'amount', 'items.freight', 'items.items', 'items'),
        ('share of items without product or seller', 'share', 'items.share_without_parent', 'items.items', 'items'),
        ('median payment', 'amount', 'payments.payment_value', 'payments.payments', 'payments'),
        ('share of payments by credit card', 'share', 'payments.share_credit_card', 'payments.payments', 'payments'),
        ('review score', 'score', 'reviews.review_score', 'reviews.reviews', 'reviews'),
        ('share of reviews with a message', 'share', 'reviews.share_with_message', 'reviews.reviews', 'reviews'),
        ('late share of arrivals', 'share', 'arrivals.late_share', 'arrivals.arrivals', 'arrivals'),
        ('median days to deliver', 'amount', 'arrivals.days_to_deliver', 'arrivals.arrivals', 'arrivals'),
    ] %}
    select
        calendar.full_date as metric_date,
        '{{ metric }}' as metric,
        '{{ kind }}' as kind,
        cast({{ value }} as double) as value,
        cast({{ size }} as bigint) as sample_size,
        {{ relation }}._loaded_at
    from calendar
    left join {{ relation }} on calendar.full_date = {{ relation }}.metric_date
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
)

select * from final
where value is not null
