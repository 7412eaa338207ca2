-- Every order that has items costs something. (An order without items costs 0: 775 in the public data.)
select
    order_id,
    total_items,
    total_amount
from {{ ref('fact_orders') }}
where
    has_items is null
    or (has_items and coalesce(total_amount, 0) <= 0)
    or (not has_items and (total_amount is null or total_amount <> 0))
