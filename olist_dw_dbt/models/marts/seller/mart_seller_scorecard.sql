{#- How the parts make the score. The four weights sum to 1. -#}
{% set weights = {'delivery': 0.35, 'reviews': 0.35, 'volume': 0.15, 'cancellations': 0.15} %}
{#- A share rests on this many average orders besides the seller's own: one bad order of two is not 50 %. -#}
{% set prior_orders = 10 %}
{#- The cancellation score reaches 0 at this share of orders. -#}
{% set worst_cancellation_share = 0.10 %}
{#- A seller with fewer orders has a score but no tier. -#}
{% set min_orders_for_tier = 5 %}

with

dim_sellers as (

    select * from {{ ref('dim_seller') }}
    where is_current and seller_key <> '-1'

),

sales as (

    select * from {{ ref('int_seller_metrics') }}

),

-- sellers that are known or have sold: an item keeps its seller_id when the seller has not arrived
sellers as (

    select seller_id from dim_sellers
    union distinct
    select seller_id from sales

),

described as (

    select
        sellers.seller_id,
        dim_sellers.seller_city,
        coalesce(dim_sellers.seller_state, 'unknown') as seller_state,
        coalesce(dim_sellers.seller_region, 'unknown') as seller_region,
        sales.seller_id is not null as has_sales,
        coalesce(sales.total_orders, 0) as order_count,
        coalesce(sales.total_items, 0) as items_sold,
        coalesce(sales.products_sold, 0) as products_sold,
        coalesce(sales.total_revenue, 0) as revenue,
        coalesce(sales.total_freight, 0) as freight,
        coalesce(sales.total_amount, 0) as gmv,
        sales.first_sold_date,
        sales.last_sold_date,
        coalesce(sales.delivered_orders, 0) as delivered_orders,
        coalesce(sales.canceled_orders, 0) as canceled_orders,
        coalesce(sales.arrived_orders, 0) as arrived_orders,
        coalesce(sales.late_orders, 0) as late_orders,
        coalesce(sales.dispatched_orders, 0) as dispatched_orders,
        coalesce(sales.late_dispatch_orders, 0) as late_dispatch_orders,
        sales.timed_orders,
        sales.days_to_deliver_sum,
        coalesce(sales.reviewed_orders, 0) as reviewed_orders,
        coalesce(sales.review_score_sum, 0) as review_score_sum,
        coalesce(sales.low_score_orders, 0) as low_score_orders

    from sellers
    left join dim_sellers on sellers.seller_id = dim_sellers.seller_id
    left join sales on sellers.seller_id = sales.seller_id

),

-- the average over the orders of all sellers
benchmark as (

    select
        {{ share_of('sum(arrived_orders) - sum(late_orders)', 'sum(arrived_orders)') }} as on_time_share,
        {{ share_of('sum(dispatched_orders) - sum(late_dispatch_orders)', 'sum(dispatched_orders)') }}
            as on_time_dispatch_share,
        {{ share_of('sum(review_score_sum)', 'sum(reviewed_orders)') }} as avg_review_score,
        {{ share_of('sum(canceled_orders)', 'sum(order_count)') }} as cancellation_share

    from described

),

-- where nobody has a value yet the best one stands in, so that the score exists whenever a seller has sold
adjusted as (

    select
        described.*,
        cume_dist() over (partition by described.has_sales order by described.order_count) as volume_share,
        (
            described.arrived_orders - described.late_orders
            + {{ prior_orders }} * coalesce(benchmark.on_time_share, 1)
        ) / (described.arrived_orders + {{ prior_orders }}) as adjusted_on_time_share,
        (
            described.dispatched_orders - described.late_dispatch_orders
            + {{ prior_orders }} * coalesce(benchmark.on_time_dispatch_share, 1)
        ) / (described.dispatched_orders + {{ prior_orders }}) as adjusted_on_time_dispatch_share,
        (described.review_score_sum + {{ prior_orders }} * coalesce(benchmark.avg_review_score, 5))
        / (described.reviewed_orders + {{ prior_orders }}) as adjusted_review_score,
        (described.canceled_orders + {{ prior_orders }} * coalesce(benchmark.cancellation_share, 0))
        / (described.order_count + {{ prior_orders }}) as adjusted_cancellation_share

    from described
    cross join benchmark

),

parts as (

    select
        *,
        round(100 * (adjusted_on_time_share + adjusted_on_time_dispatch_share) / 2, 2) as score_delivery,
        round(100 * (adjusted_review_score - 1) / 4, 2) as score_reviews,
        round(100 * volume_share, 2) as score_volume,
        round(
            100 * case
                when adjusted_cancellation_share >= {{ worst_cancellation_share }} then 0
                else 1 - adjusted_cancellation_share / {{ worst_cancellation_share }}
            end, 2
        ) as score_cancellations

    from adjusted

),

-- in decimals: the sum of two-digit parts ties at half a cent too often to leave it to a double
scored as (

    select
        *,
        case
            when has_sales
                then round(
                    {{ weights.delivery }} * cast(score_delivery as decimal(9, 2))
                    + {{ weights.reviews }} * cast(score_reviews as decimal(9, 2))
                    + {{ weights.volume }} * cast(score_volume as decimal(9, 2))
                    + {{ weights.cancellations }} * cast(score_cancellations as decimal(9, 2)), 2
                )
        end as seller_score

    from parts

),

ranked as (

    select
        *,
        row_number() over (order by seller_score desc nulls last, order_count desc, seller_id) as seller_rank

    from scored

),

final as (

    select
        cast(seller_id as string) as seller_id,
        cast(seller_city as string) as seller_city,
        cast(seller_state as string) as seller_state,
        cast(seller_region as string) as seller_region,
        cast(has_sales as boolean) as has_sales,
        cast(first_sold_date as date) as first_sold_date,
        cast(last_sold_date as date) as last_sold_date,

        cast(order_count as bigint) as order_count,
        cast(items_sold as bigint) as items_sold,
        cast(products_sold as bigint) as products_sold,
        cast(revenue as decimal(18, 2)) as revenue,
        cast(freight as decimal(18, 2)) as freight,
        cast(gmv as decimal(18, 2)) as gmv,
        {{ money_ratio('gmv', 'order_count') }} as avg_order_value,

        cast(delivered_orders as bigint) as delivered_orders,
        cast(arrived_orders as bigint) as arrived_orders,
        cast(late_orders as bigint) as late_orders,
        cast({{ share_of('arrived_orders - late_orders', 'arrived_orders') }} as double) as on_time_share,
        cast(dispatched_orders as bigint) as dispatched_orders,
        cast(late_dispatch_orders as bigint) as late_dispatch_orders,
        cast({{ share_of('dispatched_orders - late_dispatch_orders', 'dispatched_orders') }} as double)
            as on_time_dispatch_share,
        cast({{ share_of('days_to_deliver_sum', 'timed_orders') }} as double) as avg_days_to_deliver,

        cast(reviewed_orders as bigint) as reviewed_orders,
        cast({{ share_of('review_score_sum', 'reviewed_orders') }} as double) as avg_review_score,
        cast({{ share_of('low_score_orders', 'reviewed_orders') }} as double) as low_score_share,

        cast(canceled_orders as bigint) as canceled_orders,
        cast({{ share_of('canceled_orders', 'order_count') }} as double) as cancellation_share,

        cast(case when has_sales then score_delivery end as double) as score_delivery,
        cast(case when has_sales then score_reviews end as double) as score_reviews,
        cast(case when has_sales then score_volume end as double) as score_volume,
        cast(case when has_sales then score_cancellations end as double) as score_cancellations,
        cast(seller_score as double) as seller_score,
        cast(case when has_sales then seller_rank end as bigint) as seller_rank,
        cast(
            case
                when not has_sales then 'no_sales'
                when order_count < {{ min_orders_for_tier }} then 'unrated'
                when seller_score >= 90 then 'gold'
                when seller_score >= 85 then 'silver'
                when seller_score >= 80 then 'bronze'
                else 'watch'
            end as string
        ) as seller_tier

    from ranked

)

select * from final
