{#- Pareto classes: the products that make the first 80 % of a category's revenue are A, up to 95 % B, the rest C. -#}
{% set class_a_share = 0.80 %}
{% set class_b_share = 0.95 %}

with

dim_products as (

    select * from {{ ref('dim_product') }}
    where is_current and product_key <> '-1'

),

order_items as (

    select * from {{ ref('fact_order_items') }}

),

orders as (

    select * from {{ ref('fact_orders') }}

),

product_sellers as (

    select
        product_id,
        count(distinct seller_id) as sellers

    from order_items
    group by product_id

),

-- the outcome of an order counts once for each product in it, however many pieces were bought
product_orders as (

    select
        product_id,
        order_id,
        count(*) as items_sold,
        sum(price) as revenue,
        sum(freight_value) as freight,
        sum(total_amount) as gmv,
        min(price) as min_price,
        max(price) as max_price

    from order_items
    group by product_id, order_id

),

sales as (

    select
        product_orders.product_id,
        count(*) as order_count,
        sum(product_orders.items_sold) as items_sold,
        sum(product_orders.revenue) as revenue,
        sum(product_orders.freight) as freight,
        sum(product_orders.gmv) as gmv,
        min(product_orders.min_price) as min_price,
        max(product_orders.max_price) as max_price,
        min({{ day_of('orders.order_purchase_timestamp') }}) as first_sold_date,
        max({{ day_of('orders.order_purchase_timestamp') }}) as last_sold_date,
        count(case when orders.is_delivered then 1 end) as delivered_orders,
        count(case when {{ is_canceled('orders.order_status') }} then 1 end) as canceled_orders,
        count(orders.review_score) as reviewed_orders,
        sum(orders.review_score) as review_score_sum,
        count(case when orders.review_score <= 2 then 1 end) as low_score_orders,
        count(case when orders.is_late_delivery is not null then 1 end) as arrived_orders,
        count(case when orders.is_late_delivery then 1 end) as late_orders

    from product_orders
    left join orders on product_orders.order_id = orders.order_id
    group by product_orders.product_id

),

-- products that are known or were sold: an item keeps its product_id when the product has not arrived
products as (

    select product_id from dim_products
    union distinct
    select product_id from sales

),

described as (

    select
        products.product_id,
        coalesce(dim_products.product_category_name, 'unknown') as product_category_name,
        coalesce(dim_products.product_category_name_english, dim_products.product_category_name, 'unknown')
            as product_category_name_english,
        dim_products.product_weight_g,
        dim_products.product_volume_cm3,
        dim_products.product_photos_qty,
        sales.items_sold is not null as has_sales,
        coalesce(sales.items_sold, 0) as items_sold,
        coalesce(sales.order_count, 0) as order_count,
        coalesce(product_sellers.sellers, 0) as sellers,
        coalesce(sales.revenue, 0) as revenue,
        coalesce(sales.freight, 0) as freight,
        coalesce(sales.gmv, 0) as gmv,
        sales.min_price,
        sales.max_price,
        sales.first_sold_date,
        sales.last_sold_date,
        coalesce(sales.delivered_orders, 0) as delivered_orders,
        coalesce(sales.canceled_orders, 0) as canceled_orders,
        coalesce(sales.reviewed_orders, 0) as reviewed_orders,
        sales.review_score_sum,
        coalesce(sales.low_score_orders, 0) as low_score_orders,
        coalesce(sales.arrived_orders, 0) as arrived_orders,
        coalesce(sales.late_orders, 0) as late_orders

    from products
    left join dim_products on products.product_id = dim_products.product_id
    left join sales on products.product_id = sales.product_id
    left join product_sellers on products.product_id = product_sellers.product_id

),

ranked as (

    select
        *,
        row_number() over (order by revenue desc, product_id) as revenue_rank,
        row_number() over (partition by product_category_name order by revenue desc, product_id) as category_rank,
        sum(revenue) over (partition by product_category_name) as category_revenue,
        sum(revenue) over (
            partition by product_category_name
            order by revenue desc, product_id
            rows between unbounded preceding and current row
        ) as category_cumulative_revenue

    from described

),

shared as (

    select
        *,
        {{ share_of('revenue', 'category_revenue') }} as category_revenue_share,
        {{ share_of('category_cumulative_revenue', 'category_revenue') }} as category_cumulative_share,
        {{ share_of('category_cumulative_revenue - revenue', 'category_revenue') }} as category_share_before

    from ranked

),

final as (

    select
        cast(product_id as string) as product_id,
        cast(product_category_name as string) as product_category_name,
        cast(product_category_name_english as string) as product_category_name_english,
        cast(product_weight_g as integer) as product_weight_g,
        cast(product_volume_cm3 as bigint) as product_volume_cm3,
        cast(product_photos_qty as integer) as product_photos_qty,
        cast(has_sales as boolean) as has_sales,
        cast(first_sold_date as date) as first_sold_date,
        cast(last_sold_date as date) as last_sold_date,

        cast(order_count as bigint) as order_count,
        cast(items_sold as bigint) as items_sold,
        cast(sellers as bigint) as sellers,
        cast(delivered_orders as bigint) as delivered_orders,
        cast(canceled_orders as bigint) as canceled_orders,
        cast({{ share_of('canceled_orders', 'order_count') }} as double) as cancellation_share,

        cast(revenue as decimal(18, 2)) as revenue,
        cast(freight as decimal(18, 2)) as freight,
        cast(gmv as decimal(18, 2)) as gmv,
        cast({{ share_of('freight', 'gmv') }} as double) as freight_share,
        {{ money_ratio('revenue', 'items_sold') }} as avg_price,
        cast(min_price as decimal(18, 2)) as min_price,
        cast(max_price as decimal(18, 2)) as max_price,

        cast(reviewed_orders as bigint) as reviewed_orders,
        cast({{ share_of('review_score_sum', 'reviewed_orders') }} as double) as avg_review_score,
        cast({{ share_of('low_score_orders', 'reviewed_orders') }} as double) as low_score_share,
        cast(arrived_orders as bigint) as arrived_orders,
        cast(late_orders as bigint) as late_orders,
        cast({{ share_of('late_orders', 'arrived_orders') }} as double) as late_share,

        cast(case when has_sales then revenue_rank end as bigint) as revenue_rank,
        cast(case when has_sales then category_rank end as bigint) as category_rank,
        cast(category_revenue as decimal(18, 2)) as category_revenue,
        cast(category_revenue_share as double) as category_revenue_share,
        cast(case when has_sales then category_cumulative_share end as double) as category_cumulative_share,
        cast(
            case
                when not has_sales then 'unsold'
                when category_share_before < {{ class_a_share }} then 'A'
                when category_share_before < {{ class_b_share }} then 'B'
                else 'C'
            end as string
        ) as category_abc_class

    from shared

)

select * from final
