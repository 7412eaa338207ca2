-- Sellers in order of their weight: a few sell a lot, most sell little, each has a main category.
create table category_slots as
with c as (
    select
        row_number() over () as category, name, items, products, log_price, log_spread, weight_g
    from category_source
),
w as (select *, sum(products) over (order by category) / sum(products) over () as upto from c)
select * exclude (upto), unnest(slots_of(upto, coalesce(before, 0), 65536)) as slot
from (select *, lag(upto) over (order by category) as before from w);

create table sellers as
with drawn as (
    select
        range as seller, draws('seller', range) as bits,
        (range * getvariable('seller_step') + getvariable('seller_shift')) % getvariable('sellers') as quirk
    from range(getvariable('sellers'))
),
placed as (
    select
        d.*,
        case when quirk >= getvariable('dirty_cities')
                  and quirk < getvariable('dirty_cities') + getvariable('lost_sellers')
             then getvariable('real_zips') + floor(u(bits, 1) * getvariable('ghost_zips'))::int
             else s.zid end as zid
    from drawn as d
    join vendor_slots as s on s.slot = floor(u(bits, 0) * getvariable('zip_slots'))::int
)
select
    p.seller::int as seller, z.zip, z.state, z.lat, z.lng,
    case when p.quirk >= getvariable('dirty_cities') then z.city
        else case p.quirk % 12
            when 0 then concat(z.zip, '255')
            when 1 then 'sp / sp'
            when 2 then concat(z.city, ' / ', lower(z.state))
            when 3 then concat(z.city, ', ', z.city, ', brasil')
            when 4 then concat('contato@', replace(replace(z.city, ' ', ''), '''', ''), '.example.com.br')
            when 5 then concat(z.city, '/', lower(z.state))
            when 6 then concat(z.city, ' - ', lower(z.state))
            when 7 then replace(z.city, ' ', '  ')
            when 8 then concat(z.city, '-', lower(z.state))
            when 9 then concat(left(z.city, len(z.city) - 2), right(z.city, 1), z.city[-2])
            when 10 then concat(z.city, ' (centro)')
            else concat(z.city, ' / ', 'brasil') end
    end as city,
    1 / ((p.seller + 0.5) / getvariable('sellers') + 0.004)
        * case when z.state = 'SP' then 1.75 when z.state = 'MG' then 1.1 else 0.8 end as weight,
    floor(((p.seller + 1) * 0.6180339887498949::double % 1) * 65536)::int as main_slot
from placed as p join zips as z using (zid);

create table seller_slots as
with w as (select seller, sum(whole(weight)) over (order by seller) / sum(whole(weight)) over () as upto from sellers)
select seller, unnest(slots_of(upto, coalesce(before, 0), getvariable('seller_slots')))::int as slot
from (select *, lag(upto) over (order by seller) as before from w);

-- Products: each seller has one at least; the last ones carry the quirks of the catalogue.
create table products as
with drawn as (
    select
        range as product, draws('product', range) as bits, draws('shape', range) as shape,
        getvariable('products') - 1 - range as from_end,
        floor(u(bits, 0) * getvariable('seller_slots'))::int as seller_slot,
        case when u(bits, 1) < 0.05 then floor(u(bits, 1) * 20 * getvariable('seller_slots'))::int end as alt_slot
    from range(getvariable('products'))
),
sold as (
    select
        d.*, case when d.product < getvariable('sellers') then d.product else s.seller end as seller,
        a.seller as other_seller
    from drawn as d
    join seller_slots as s on s.slot = d.seller_slot
    left join seller_slots as a on a.slot = d.alt_slot
),
shelved as (
    select
        d.*, c.name, c.log_price, c.log_spread, c.weight_g, c.items / c.products as demand,
        case when from_end < getvariable('no_category') then null
             when from_end < getvariable('no_category') + getvariable('pc_gamer') then 'pc_gamer'
             when from_end < getvariable('no_category') + getvariable('pc_gamer') + getvariable('portateis')
             then 'portateis_cozinha_e_preparadores_de_alimentos' else c.name end as category
    from sold as d
    join sellers as s using (seller)
    -- A big catalogue has at least one product of every category.
    left join (select category, min(slot) as slot from category_slots group by category) as r
        on r.category = d.from_end - getvariable('rare_from') + 1
    join category_slots as c
        on c.slot = case when from_end >= getvariable('rare_from') and from_end < getvariable('rare_from') + 71
                and getvariable('products') > 10000 then r.slot
            when u(d.bits, 2) < 0.8 then s.main_slot else floor(u(d.shape, 0) * 65536)::int end
),
priced as (
    select
        *, curve(u(bits, 3), 'normal') as taste,
        exp(log_price + 0.97 * log_spread * curve(u(bits, 3), 'normal')) as wish,
        u(shape, 1) as bulk, u(shape, 2) as r2, u(shape, 3) as r3, u(shape, 4) as r4,
        u(draws('label', product), 0) as l0, u(draws('label', product), 1) as l1,
        u(draws('label', product), 2) as l2, u(draws('label', product), 3) as l3,
        u(draws('label', product), 4) as l4
    from shelved
),
weighed as (
    select
        *,
        case when from_end >= getvariable('products') - getvariable('weightless') then 0
             else clamp(weight_g * 0.66 * exp(0.40 * taste + 1.0 * curve(bulk, 'normal')), 50, 30000) end as grams,
        clamp(0.5 + 1.55 * (0.55 * bulk + 0.30 * r2 + 0.15 * l4 - 0.5), 0, 0.999) as r_size
    from priced
)
select
    (row_number() over (order by seller, product) - 1)::int as place,
    product::int as product, seller::int as seller, other_seller::int as other_seller, category,
    (min(place_raw) over (partition by seller))::int as first_place,
    (count(*) over (partition by seller))::int as places,
    clamp(case when wish < 25 then 5 * sqrt(wish) else wish end, 0.85, 6735.0) as wish,
    pick(r3, getvariable('price_endings'))::int as ending,
    r4 < 0.42 as fixed_price,
    demand * (1 / (l3 + 0.001) - 0.95) as weight,
    floor(curve(l0, 'name_length'))::int as name_length,
    floor(curve(l1, 'description_length'))::int as description_length,
    floor(curve(l2, 'photos'))::int as photos,
    case when grams = 0 then 0 when grams < 200 then round(grams / 2 + 100) when grams < 1000 then round(grams / 50) * 50
        when l4 < 0.8 then round(grams / 100) * 100 else round(grams) end::int as weight_g,
    floor(curve(r_size, 'length_cm'))::int as length_cm,
    floor(curve(clamp(0.5 + 1.12 * (0.6 * r_size + 0.4 * r2 - 0.5), 0, 0.999), 'height_cm'))::int as height_cm,
    floor(curve(clamp(0.5 + 1.12 * (0.6 * r_size + 0.4 * l3 - 0.5), 0, 0.999), 'width_cm'))::int as width_cm,
    from_end < getvariable('no_category') as is_bare,
    from_end < getvariable('unmeasured') as is_unmeasured
from (select *, row_number() over (order by seller, product) - 1 as place_raw from weighed);

-- Ordered by price, so that baskets of several items can lean to the cheaper end.
create table product_slots as
with w as (
    select place, wish, sum(whole(weight)) over (order by wish, place) / sum(whole(weight)) over () as upto from products
)
select place, unnest(slots_of(upto, coalesce(before, 0), getvariable('product_slots')))::int as slot
from (select *, lag(upto) over (order by wish, place) as before from w);
