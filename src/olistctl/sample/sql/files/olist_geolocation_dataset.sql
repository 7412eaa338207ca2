-- The points of a zip repeat each other (the file's exact duplicates); a few lie in another country.
select concat('"', zip, '",', latitude(lat), ',', lng, ',', text_value(city), ',', state) as {header}
from (
    select
        zip,
        case when quirk = getvariable('foreign_points') and state <> 'SP' then 'SP'
            when quirk = getvariable('foreign_points') then 'MG' else state end as state,
        case when quirk < getvariable('foreign_points') then 38.2 + u(b, 0) * 3.9
            when u(b, 2) < 0.006 then round(lat + (u(b, 0) + u(b, 1) - 1) * width, 6)
            else lat + (u(b, 0) + u(b, 1) - 1) * width end as lat,
        case when quirk < getvariable('foreign_points') then -8.7 + u(b, 1) * 2.4
            when u(b, 2) < 0.006 then round(lng + (u(b, 3) + u(b, 1) - 1) * width, 6)
            else lng + (u(b, 3) + u(b, 1) - 1) * width end as lng,
        case when u(b, 4) < spelled then accented
            when u(b, 4) > 0.9998 then concat(city, ', ', lower(state), ', brasil')
            when u(b, 4) > 0.9997 then concat('* ', city)
            when u(b, 4) > 0.9996 then concat('1º ', city)
            else city end as city
    from (
        select
            *, (n::bigint * getvariable('point_step') + getvariable('point_shift')) % getvariable('points') as quirk,
            case when u(b, 2) > 0.9985 then 1.6 else width_of_zip end as width
        from (
            select
                p.*, 0.004 + 0.012 * p.r as width_of_zip,
                draws('point', p.zid::bigint * 1048576 + floor(u(draws('row', p.n), 0) * 1.55 * p.points)::bigint) as b
            -- Sorted before the work begins: a join does not keep the order of its rows.
            from (select p.n, z.* from points as p join zips as z using (zid) order by p.n) as p
        )
    )
)
