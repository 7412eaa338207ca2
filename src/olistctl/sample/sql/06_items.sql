-- Baskets of several items: two thirds hold the same product again, the others another product of the same seller or
-- of somebody else.
create table items as
with lines as (
    select
        o.r, o.basket_no, o.zid, o.purchased, coalesce(o.approved_at, o.purchased) as ready_at, o.is_debut, o.size,
        draws('basket', o.r) as b, unnest(range(1, o.size + 1))::int as item, o.place as main_place
    from orders as o
    where o.has_items
),
chosen as (
    select
        l.*, draws('line', r * 32 + item) as bl,
        case when item = 1 or u(b, 0) < 0.70 then 0 when u(b, 0) < 0.876 then 1
            when item = 2 or u(draws('line', r * 32 + item), 0) < 0.4 then 2 else 0 end as other
    from lines as l
),
placed as (
    select
        c.*,
        case other when 0 then c.main_place when 2 then s.place
            else p.first_place + floor(u(bl, 1) * p.places)::int end as place
    from chosen as c
    join products as p on p.place = c.main_place
    left join product_slots as s
        on s.slot = case when other = 2 then floor(u(bl, 2) * u(bl, 2) * getvariable('product_slots'))::int end
),
priced as (
    select
        l.r, l.item, l.zid, l.ready_at, l.b, l.place, l.basket_no, p.weight_g, p.product,
        case when p.other_seller is not null and not (l.is_debut and l.other = 0) and u(b, 1) < 0.45
            then p.other_seller else p.seller end as seller,
        p.ending,
        p.wish * case when p.fixed_price then 1.0
            else getvariable('price_moves')[1 + (l.place::bigint * 7919 + l.purchased // 5184000 * 40503) % 8] end as wish
    from placed as l join products as p on p.place = l.place
),
shipped as (
    select
        i.*, z.state = s.state as is_near,
        111 * sqrt((z.lat - s.lat) * (z.lat - s.lat) + 0.88 * (z.lng - s.lng) * (z.lng - s.lng)) as km,
        -- 129.90, 49.99, 120.00: shops like round prices and those just below.
        case when wish < 5 then greatest(floor(wish * 100)::bigint, 85)
            when ending >= 90 and wish > 25 and product % 3 < 2 then (floor(wish / 10 + 0.5)::bigint * 10 - 1) * 100 + ending
            when ending = 0 and wish > 60 and product % 2 = 0 then floor(wish / 5 + 0.5)::bigint * 500
            else floor(wish)::bigint * 100 + ending end as price
    from priced as i
    join zips as z using (zid)
    join sellers as s using (seller)
)
select
    r, item, product, seller, price,
    case
        when basket_no >= getvariable('baskets') - getvariable('free_baskets') then 0
        when weight_g < 1500 and u(b, 2) < 0.16 then case when is_near
            then pick(u(b, 3), [739, 778, 778, 872, 1185, 1279])
            else pick(u(b, 3), [1410, 1510, 1510, 1611, 1679, 1823]) end
        else greatest(100, floor(100 * (case when is_near then 1.06 else 1.42 + km * 0.00050 end)
            * (7.4 + 3.05 * sqrt(weight_g / 1000.0) + 1.15 * greatest(weight_g / 1000.0 - 4, 0) + 0.011 * least(price / 100.0, 1500))
            * (0.62 + 0.76 * (u(b, 3) + u(b, 4)) / 2)))::bigint
    end as freight,
    case when basket_no >= getvariable('baskets') - getvariable('odd_limits') then 18361 * 86400 + ready_at % 86400
        else (ready_at // 86400 + pick(u(draws('limit', r), 0), getvariable('limit_days'))::bigint) * 86400
            + case when u(draws('limit', r), 1) < 0.8 then ready_at % 86400
                else floor(u(draws('limit', r), 2) * 86400)::bigint end end as limit_at
from shipped;
