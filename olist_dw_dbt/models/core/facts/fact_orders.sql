with orders as (
    select * from {{ ref('int_order_enriched') }}
    {{ only_affected() }}
),

customers as (
    select * from {{ ref('dim_customer') }}
),

geography as (
    select * from {{ ref('dim_geography') }}
),

final as (
    select
        {{ generate_surrogate_key(['orders.order_id']) }} as order_key,
        orders.order_id,
        orders.customer_id,
        orders.customer_unique_id,
        coalesce(customers.customer_key, '-1') as customer_key,
        coalesce(geography.geography_key, '-1') as geography_key,
        {{ date_key('orders.order_purchase_timestamp') }} as order_date_key,
        {{ date_key('orders.order_approved_at') }} as approved_date_key,
        {{ date_key('orders.order_delivered_carrier_date') }} as carrier_date_key,
        {{ date_key('orders.order_delivered_customer_date') }} as delivery_date_key,
        {{ date_key('orders.order_estimated_delivery_date') }} as estimated_delivery_date_key,
        orders.order_status,

        orders.order_purchase_timestamp,
        orders.order_approved_at,
        orders.order_delivered_carrier_date,
        orders.order_delivered_customer_date,
        orders.order_estimated_delivery_date,

        orders.customer_state,
        orders.customer_region,

        orders.total_items,
        orders.num_sellers,
        orders.num_products,
        orders.total_price,
        orders.total_freight,
        orders.total_amount,
        orders.payment_count,
        orders.total_payment,
        orders.payment_difference,
        orders.review_count,
        orders.review_score,
        orders.customer_order_number,

        orders.is_first_order,
        orders.is_delivered,
        orders.has_items,
        orders.has_payment,
        orders.has_review,
        orders.is_multivendor,

        orders.days_to_approve,
        orders.days_to_ship,
        orders.days_to_deliver,
        orders.delivery_vs_estimate,
        orders.is_late_delivery,

        orders._loaded_at as created_at
    from orders
    left join customers
        on orders.customer_id = customers.customer_id
        and {{ version_in_force('customers', 'orders.order_purchase_timestamp') }}
    left join geography on orders.customer_zip_code_prefix = geography.zip_code_prefix
)

select * from final
