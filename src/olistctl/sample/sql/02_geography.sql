-- Zip prefixes: every city owns a range, the rest of a state is small towns.
create table areas as
with states as (select *, row_number() over () as state_no from state_source),
cities as (
    select c.*, least(0.5 * (c.last - c.first + 1), 2 + 0.13 * c.customers) as zips
    from (select *, row_number() over () as city_no from city_source) as c
),
interior as (
    select
        s.state_no, 0 as city_no, s.state, null as city, null::double as lat, null::double as lng,
        s.reach as spread, s.first, s.last,
        greatest(s.zips - c.zips, 1) as zips, greatest(s.customers - c.customers, 1) as customers,
        greatest(s.sellers - c.sellers, 0) as sellers
    from states as s
    join (
        select state, sum(zips) as zips, sum(customers) as customers, sum(sellers) as sellers from cities group by state
    ) as c using (state)
),
everything as (
    select s.state_no, c.city_no, c.state, c.city, c.lat, c.lng, c.spread, c.first, c.last, c.zips, c.customers,
           c.sellers
    from cities as c join states as s using (state)
    union all by name
    select * from interior
)
select row_number() over (order by state_no, city_no) as area, * from everything;

-- The share of a state in all zips stays what it is at full size, rounded along the running total.
create table area_counts as
with running as (
    select area, sum(whole(zips)) over (order by area) / sum(whole(zips)) over () as upto from areas
)
select
    area,
    (floor(upto * getvariable('all_zips') + 0.5)
     - floor(coalesce(lag(upto) over (order by area), 0) * getvariable('all_zips') + 0.5))::int as wanted
from running;

create table candidates as
with city_zips as (select area, unnest(range(first, last + 1)) as zip from areas where city is not null),
interior_zips as (select area, unnest(range(first, last + 1)) as zip from areas where city is null),
free as (
    select * from city_zips
    union all
    select * from interior_zips where zip not in (select zip from city_zips)
)
select area, zip, row_number() over (partition by area order by zip) - 1 as place, count(*) over (partition by area) as places
from free;

create table zips as
with wanted as (
    select c.area, a.state, least(c.wanted, p.places) as n, p.places, unnest(range(least(c.wanted, p.places))) as k
    from area_counts as c
    join areas as a using (area)
    join (select area, any_value(places) as places from candidates group by area) as p using (area)
),
placed as (
    select
        w.area, w.k, w.n, draws('zip', w.area * 100000 + w.k) as bits,
        w.k * w.places // w.n + floor(u(bits, 0) * (w.places // w.n))::bigint as place
    from wanted as w
),
numbered as (
    select p.*, c.zip, row_number() over (order by p.bits, c.zip) - 1 as shuffled
    from placed as p join candidates as c using (area, place)
),
-- Small towns: a made-up name and a place near a city of the same state; neighbours share a town.
towns as (
    select
        n.*, a.state, a.city, a.lat, a.lng, a.spread, a.customers, a.sellers,
        draws('town', n.area * 100000 + n.k * 2 // 3) as town_bits
    from numbered as n join areas as a using (area)
),
anchors as (
    select state, array_agg(lat order by area) as lats, array_agg(lng order by area) as lngs
    from areas where city is not null group by state
),
named as (
    select
        t.* exclude (lat, lng),
        coalesce(t.city, trim(concat(
            case when u(draws('name', town_bits), 0) < 0.5
                then pick(u(town_bits, 0), getvariable('roots'))
                else concat(pick(u(town_bits, 0), getvariable('fronts')), pick(u(draws('name', town_bits), 1), getvariable('ends')))
            end, ' ',
            case when u(draws('name', town_bits), 2) < 0.72 then ''
                when pick(u(town_bits, 1), getvariable('tails')) = '*' then s.suffix
                else pick(u(town_bits, 1), getvariable('tails')) end
        ))) as full_name,
        coalesce(t.lat + (u(bits, 1) + u(bits, 2) - 1) * t.spread,
            pick(u(town_bits, 2), lats) + (u(town_bits, 3) * 2 - 1) * s.reach + (u(bits, 1) - 0.5) * 0.01) as lat,
        coalesce(t.lng + (u(bits, 3) + u(bits, 4) - 1) * t.spread,
            pick(u(town_bits, 2), lngs) + (u(town_bits, 4) * 1.2 - 1.0) * s.reach + (u(bits, 2) - 0.5) * 0.01) as lng,
        s.geo_rows / s.zips as rows_a_zip
    from towns as t
    join state_source as s on s.state = t.state
    join anchors as c on c.state = t.state
),
weighted as (
    select
        *, shuffled < getvariable('ghost_zips') as is_ghost, heavy(u(draws('crowd', zip), 0)) as crowd,
        u(draws('crowd', zip), 1) as r
    from named
)
select
    (row_number() over (order by is_ghost, zip) - 1)::int as zid,
    lpad(zip::varchar, 5, '0') as zip,
    -- The other spelling of the city: with its accents, or with a hyphen where it has none.
    case when lower(full_name) = strip_accents(lower(full_name)) and r > 0.5 then replace(lower(full_name), ' ', '-')
        else lower(full_name) end as accented,
    strip_accents(lower(full_name)) as city,
    case when lower(full_name) = strip_accents(lower(full_name)) then 0.03 else 0.14 + 0.2 * r end as spelled,
    state, lat, lng, is_ghost, r,
    case when is_ghost then 0 else (0.15 + crowd) * customers / n end as buyers,
    case when is_ghost then 0 else sellers / n end as vendors,
    case when is_ghost then 0 else (0.03 + crowd) * rows_a_zip end as popularity
from weighted;

-- How many rows of the geolocation file speak of a zip: one at least, the rest by popularity.
alter table zips add column points int;
update zips set points = p.points from (
    select zid,
        case when is_ghost then 0 else 1 + (
            floor(upto * spare + 0.5) - floor(coalesce(lag(upto) over (order by zid), 0) * spare + 0.5)
        )::int end as points
    from (
        select zid, is_ghost, greatest(getvariable('points') - getvariable('real_zips'), 0) as spare,
               sum(whole(popularity)) over (order by zid) / sum(whole(popularity)) over () as upto
        from zips
    )
) as p where p.zid = zips.zid;

-- A draw by weight is a look-up: each member owns as many slots as its weight says.
create macro slots_of(upto, before, total) as
    range((floor(before * total + 0.5))::bigint, (floor(upto * total + 0.5))::bigint);
create table buyer_slots as
with w as (select zid, sum(whole(buyers)) over (order by zid) / sum(whole(buyers)) over () as upto from zips)
select zid, unnest(slots_of(upto, before, getvariable('zip_slots')))::int as slot
from (select zid, upto, coalesce(lag(upto) over (order by zid), 0) as before from w);
create table vendor_slots as
with w as (
    select zid, sum(whole(vendors + 1e-3 * buyers)) over (order by zid) / sum(whole(vendors + 1e-3 * buyers)) over () as upto
    from zips
)
select zid, unnest(slots_of(upto, before, getvariable('zip_slots')))::int as slot
from (select zid, upto, coalesce(lag(upto) over (order by zid), 0) as before from w);
