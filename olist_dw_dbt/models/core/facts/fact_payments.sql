with payments as (
    select * from {{ ref('stg_order_payments') }}
    {{ only_affected() }}
),

orders as (
    select * from {{ ref('fact_orders') }}
    {{ only_affected() }}
),

final as (
    select
        {{ generate_surrogate_key(['payments.order_id', 'payments.payment_sequential']) }} as payment_key,
        payments.order_id,
        payments.payment_sequential,
        coalesce(orders.customer_key, '-1') as customer_key,
        coalesce(orders.order_date_key, -1) as order_date_key,
        payments.payment_type,

        payments.payment_installments,
        payments.payment_value,

        payments._loaded_at as created_at
    from payments
    left join orders on payments.order_id = orders.order_id
)

select * from final
