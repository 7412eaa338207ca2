{#- Pareto classes: the products that make the first 80 % of a category's revenue are A, up to 95 % B, the rest C. -#}
{% set class_a_share = 0.80 %}
{% set class_b_share = 0.95 %}

with

dim_products as (

    select * from {{ ref('dim_product') }}
    where is_current and product_key <> '-1'

),

sales as (

    select * from {{ ref('int_product_metrics') }}

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
        sales.product_id is not null as has_sales,
        coalesce(sales.total_items, 0) as items_sold,
        coalesce(sales.total_orders, 0) as order_count,
        coalesce(sales.sellers, 0) as sellers,
        coalesce(sales.total_revenue, 0) as revenue,
        coalesce(sales.total_freight, 0) as freight,
        coalesce(sales.total_amount, 0) as gmv,
        sales.avg_price,
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
        cast(avg_price as decimal(18, 2)) as avg_price,
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
