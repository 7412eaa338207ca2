{{ config(meta={'affected_by': 'int_affected_order_items'}) }}

with order_items as (
    select * from {{ ref('stg_order_items') }}
    {{ only_affected('int_affected_order_items') }}
),

orders as (
    select * from {{ ref('fact_orders') }}
    {{ only_affected('int_affected_order_items') }}
),

products as (
    select * from {{ ref('dim_product') }}
),

sellers as (
    select * from {{ ref('dim_seller') }}
),

-- The sale is the event: it happened at the purchase. Of an item without its order only the shipping limit is
-- known, and of one without that nothing: the member's first version.
items_of_orders as (
    select
        order_items.order_id,
        order_items.order_item_id,
        order_items.product_id,
        order_items.seller_id,
        orders.customer_id,
        orders.customer_key,
        orders.geography_key,
        orders.order_date_key,
        orders.delivery_date_key,
        orders.order_status,
        orders.customer_state,
        orders.customer_region,
        order_items.shipping_limit_date,
        order_items.price,
        order_items.freight_value,
        orders.days_to_ship,
        orders.days_to_deliver,
        orders.delivery_vs_estimate,
        orders.is_late_delivery,
        coalesce(
            orders.order_purchase_timestamp,
            order_items.shipping_limit_date,
            {{ first_version_from() }}
        ) as sold_at,
        order_items._loaded_at
    from order_items
    left join orders on order_items.order_id = orders.order_id
),

final as (
    select
        {{ generate_surrogate_key(['items.order_id', 'items.order_item_id']) }} as order_item_key,
        items.order_id,
        items.order_item_id,
        items.product_id,
        items.seller_id,
        items.customer_id,
        coalesce(items.customer_key, '-1') as customer_key,
        coalesce(products.product_key, '-1') as product_key,
        coalesce(sellers.seller_key, '-1') as seller_key,
        coalesce(items.geography_key, '-1') as geography_key,
        coalesce(items.order_date_key, -1) as order_date_key,
        coalesce(items.delivery_date_key, -1) as delivery_date_key,
        {{ date_key('items.shipping_limit_date') }} as shipping_limit_date_key,
        coalesce(items.order_status, 'unknown') as order_status,

        coalesce(items.customer_state, 'unknown') as customer_state,
        coalesce(items.customer_region, 'unknown') as customer_region,

        items.price,
        items.freight_value,
        1 as quantity,
        {{ item_amount('items.price', 'items.freight_value') }} as total_amount,

        items.days_to_ship,
        items.days_to_deliver,
        items.delivery_vs_estimate,
        items.is_late_delivery,

        items._loaded_at as created_at
    from items_of_orders as items
    left join products
        on items.product_id = products.product_id
        and {{ version_in_force('products', 'items.sold_at') }}
    left join sellers
        on items.seller_id = sellers.seller_id
        and {{ version_in_force('sellers', 'items.sold_at') }}
)

select * from final
