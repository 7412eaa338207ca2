-- One row per order. `r` numbers the orders in blocks of one status (see plan.py); every other choice comes from
-- draws or from a shuffle (r * step + shift) % n, which hands out exact counts without sorting.
create table orders as
with numbered as (
    select unnest(range(first, last))::bigint as r, status, has_items, first as block_first from blocks
),
shuffled as (
    select
        r, status, has_items, r - block_first as rank,
        (r * getvariable('person_step') + getvariable('person_shift')) % getvariable('orders') as x,
        (r * getvariable('pay_step') + getvariable('pay_shift')) % getvariable('orders') as pay_no,
        case when has_items then ((r - getvariable('itemless')) * getvariable('basket_step')
            + getvariable('basket_shift')) % getvariable('baskets') end as basket_no,
        case when has_items then ((r - getvariable('itemless')) * getvariable('debut_step')
            + getvariable('debut_shift')) % getvariable('baskets') end as debut_no
    from numbered
),
-- People: x lies in a block of people with the same number of orders.
people as (
    select
        *,
        (x - (x - person_block(x)) % person_size(x))::int as person, ((x - person_block(x)) % person_size(x))::int as nth,
        x >= getvariable('orders') - getvariable('lost_buyers') as is_lost,
        basket_size(basket_no) as size
    from shuffled
),
drawn as (
    select
        *,
        draws('person', person) as bp, draws('visit', x) as bv, draws('order', r) as b, draws('times', r) as bt,
        draws('more times', r) as bm,
        ((x + 0.5) * 0.6180339887498949::double) % 1 as gap_class,
        case when nth > 0 and u(draws('visit', x), 0) < getvariable('movers') then u(draws('visit', x), 1)
            else u(draws('person', person), 1) end as home
    from people
),
-- When: the first order of a person follows the curve of the days, the next ones come after a gap.
dated as (
    select
        d.*, s.day, s.day * 86400 + floor(curve(u(bp, 3), 'purchase_hours'))::bigint as first_at,
        case when gap_class < 0.245 then floor(1 + u(bv, 2) * u(bv, 2) * 2400)::bigint
            when gap_class < 0.27 then floor(3600 + u(bv, 2) * 60000)::bigint
            when gap_class < 0.51 then 86400 * floor(1 + u(bv, 2) * 30)::bigint
            else 86400 * floor(30 + u(bv, 2) * sqrt(u(bv, 2)) * 480)::bigint end as gap,
        case when gap_class < 0.27 then 0
            else floor(curve(u(bv, 3), 'purchase_hours') - curve(u(bp, 3), 'purchase_hours'))::bigint end as other_hour
    from drawn as d
    join day_slots as s on s.slot = floor(u(bp, 0) * 100000)::int
),
bought as (
    select
        * exclude (day, first_at, gap, other_hour),
        case
            when status = 'canceled' and has_items and rank < getvariable('in_2016_09')
                then 17048 * 86400 + 76519 + rank * 90061
            when status = 'canceled' and has_items and rank < getvariable('in_2016_09') + getvariable('in_2018_09')
                then (17775 + floor(u(bt, 4) * 28)::bigint) * 86400 + floor(curve(u(bp, 3), 'purchase_hours'))::bigint
            when status = 'canceled' and has_items
                and rank < getvariable('in_2016_09') + getvariable('in_2018_09') + getvariable('in_2018_10')
                then (17805 + floor(u(bt, 4) * 16)::bigint) * 86400 + floor(curve(u(bp, 3), 'purchase_hours'))::bigint
            when status = 'delivered' and rank < getvariable('in_2016_12_end') then 17158 * 86400 + 80207
            when nth = 0 and status = 'delivered' and rank < getvariable('early_carrier_end')
                and rank >= getvariable('late_approved') and weekday(day) between 1 and 5
                -- Papers out of order are a habit of 2018.
                then (17643 + floor(u(bt, 4) * 125)::bigint) * 86400 + first_at % 86400
            when nth = 0 then first_at
            when first_at + gap + other_hour between 17171 * 86400 and 17773 * 86400 then first_at + gap + other_hour
            when first_at - gap + other_hour > 17171 * 86400 then first_at - gap + other_hour
            else (17171 + floor(u(bv, 4) * 600)::bigint) * 86400 + first_at % 86400
        end as purchased
    from dated
),
placed as (
    select
        b.* exclude (home, is_lost),
        case when is_lost then getvariable('real_zips') + floor(home * getvariable('ghost_zips'))::int
            else s.zid end as zid
    from bought as b
    join buyer_slots as s on s.slot = floor(b.home * getvariable('zip_slots'))::int
),
-- What: every product has its debut, the rest follows the demand.
filled as (
    select
        p.* exclude (debut), debut as is_debut, pr.place, pr.seller,
        case when pr.wish > 180 then 0.82 else 0.7595 end as card_share
    from (select *, debut_no < getvariable('products') as debut from placed) as p
    left join product_slots as s on s.slot = case when has_items then
        floor(case when size > 1 then u(b, 0) * u(b, 0) else u(b, 0) end * getvariable('product_slots'))::int end
    left join products as pr on pr.place = case when debut then debut_no else s.place end
),
paid as (
    select
        f.*, pay_count(pay_no) as pay_rows,
        case when pay_no >= getvariable('orders') - getvariable('no_instalments') then 'credit_card'
            when pay_count(pay_no) > 1 then case when u(b, 1) < 0.86 then 'credit_card' else 'voucher' end
            -- What is dear is paid by card.
            when u(b, 1) < card_share then 'credit_card' when u(b, 1) < 0.9730 then 'boleto'
            when u(b, 1) < 0.9886 then 'debit_card' else 'voucher' end as pay_type
    from filled as f
),
approved as (
    select
        p.*, z.state, c.transit as month_transit, c.estimate as month_estimate, c.handling,
        st.transit, st.estimate,
        case when s.state is distinct from z.state then case when z.state = 'SP' then 1.48 else 0.98 end
            when z.state = 'SP' then 0.92 else 0.52 end as way,
        case when status = 'created' or status = 'canceled' and not has_items and rank < getvariable('never_approved')
                or status = 'delivered' and rank between getvariable('no_approval') and getvariable('no_approval_end') - 1
            then null
            when u(bt, 0) < 0.013 then purchased
            when pay_type <> 'boleto' then purchased + floor(60 * curve(u(bt, 0), 'card_minutes'))::bigint
            -- The banks tell of most paid boletos at night.
            when u(b, 2) < 0.55 and curve(u(bt, 0), 'boleto_minutes') > 720
                then ((purchased + floor(60 * curve(u(bt, 0), 'boleto_minutes'))::bigint) // 86400) * 86400 + 86400
                    * (((purchased + floor(60 * curve(u(bt, 0), 'boleto_minutes'))::bigint) // 86400) = purchased // 86400)::int
                    + 6000 + floor(u(b, 3) * 10200)::bigint
            else purchased + floor(60 * curve(u(bt, 0), 'boleto_minutes'))::bigint end as approved_at
    from paid as p
    join zips as z using (zid)
    join state_source as st on st.state = z.state
    join calendar as c on c.day = p.purchased // 86400
    left join sellers as s on s.seller = p.seller
),
handed as (
    select
        *, coalesce(approved_at, purchased) as ready_at,
        or_saturday(after_workdays(coalesce(approved_at, purchased) // 86400, workdays(
            coalesce(approved_at, purchased) % 86400 / 86400.0 + handling * curve(u(bt, 1), 'handling_days') - 0.65, u(bm, 0))),
            u(b, 4), 0.09) * 86400 + floor(curve(u(bt, 2), 'carrier_hours'))::bigint as pick_up,
        -- The promise knows a part of what will happen on the way.
        skip_weekend(purchased // 86400 + greatest(2, floor(0.8 + 1.05 * estimate * month_estimate
            * (0.55 + 0.45 * least(way, 1.3))
            * curve(case when u(bm, 1) < 0.4 then u(bt, 4) else u(bt, 3) end, 'estimate_share')))::bigint) as estimated_day
    from approved
),
carried as (
    select
        *,
        case when pick_up <= ready_at then ready_at + 1800 + floor(u(bm, 1) * 5400)::bigint else pick_up end as raw_carrier
    from handed
),
scanned as (
    select
        *,
        -- Since late April 2018 the carriers' times come without seconds.
        case when raw_carrier // 86400 >= 17646 or u(bm, 1) < 0.02 then (raw_carrier + 59) // 60 * 60
            else raw_carrier end as carrier
    from carried
),
brought as (
    select
        *,
        or_saturday(after_workdays(carrier // 86400, workdays(
            carrier % 86400 / 86400.0 + transit * month_transit * way * curve(u(bt, 4), 'transit_share') - 0.6, u(bm, 2))),
            u(b, 3), 0.24) * 86400 + floor(curve(u(bm, 3), 'delivery_hours'))::bigint as door
    from scanned
),
delivered as (
    select *, case when door <= carrier then carrier + 10800 + floor(u(bm, 4) * 72000)::bigint else door end as arrived
    from brought
)
select
    r::int as r, status, has_items, rank::int as rank, x::int as x, person, nth, gap_class < 0.243 and nth > 0 as is_echo,
    zid, place, size, is_debut, basket_no::int as basket_no, pay_no::int as pay_no, pay_rows, pay_type, purchased,
    case when status = 'delivered' and rank >= getvariable('late_approved') and rank < getvariable('late_approved_end')
        then carrier + 600 + floor(u(bm, 4) * u(bm, 4) * 200000)::bigint else approved_at end as approved_at,
    case when status = 'delivered' then
            case when rank >= getvariable('no_carrier') and rank < getvariable('no_carrier_end') then null
                when rank >= getvariable('early_carrier') and rank < getvariable('early_carrier_end')
                    then (purchased - 60 - floor(u(bm, 4) * 6600)::bigint) // 60 * 60
                when rank >= getvariable('early_door') and rank < getvariable('early_door_end')
                    then arrived + 3600 + floor(u(bm, 4) * 500000)::bigint
                else carrier end
        when status = 'shipped' or status = 'canceled' and has_items and rank >= getvariable('canceled_on_road')
            then carrier end as carrier_at,
    case when status = 'delivered' and not (rank >= getvariable('no_door') and rank < getvariable('no_door_end'))
            or status = 'canceled' and has_items and rank >= getvariable('canceled_at_door')
        then arrived end as delivered_at,
    estimated_day::int as estimated_day
from delivered;
