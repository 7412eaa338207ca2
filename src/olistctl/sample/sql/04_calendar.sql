-- The curve of the days: months as they were, weekdays, Black Friday, the carriers' strike of May 2018.
create table calendar as
with days as (
    select m.*, unnest(range(m.first_day, month_days + 1)) as day_of_month
    from (
        select *, case when month = '2016-10' then 10 when month = '2018-08' then 30
            else day(last_day((month || '-01')::date)) end as month_days
        from month_source
    ) as m
),
dated as (
    select
        month, orders, ((month || '-01')::date - date '1970-01-01')::int + day_of_month - 1 as day,
        day_of_month, transit, estimate, handling
    from days
),
weighted as (
    select
        *,
        getvariable('weekdays')[1 + weekday(day)]
        * (0.92 + 0.16 * u(draws('day', day), 0))
        * case
            when month = '2017-11' and day_of_month = 24 then 5.8
            when month = '2017-11' and day_of_month = 25 then 3.1
            when month = '2017-11' and day_of_month in (26, 27) then 2.0
            when month = '2017-11' and day_of_month >= 28 then 1.45
            when month = '2017-11' and day_of_month < 20 then 0.82
            when month = '2017-12' then 1.8 - day_of_month * 0.045
            when month = '2018-05' and day_of_month >= 22 then 0.62
            when month = '2018-08' and day_of_month >= 22 then 0.55
            else 1 end as weight
    from dated
)
select
    day::int as day, transit, estimate, handling,
    orders * weight / sum(whole(weight)) over (partition by month) * 1000000 as weight
from weighted;

create table day_slots as
with w as (select day, sum(whole(weight)) over (order by day) / sum(whole(weight)) over () as upto from calendar)
select day, unnest(slots_of(upto, coalesce(before, 0), 100000))::int as slot
from (select *, lag(upto) over (order by day) as before from w);
-- Days outside the curve behave like the nearest month that has one.
insert into calendar
select range::int, 1.0, case when range < 17167 then 2.0 else 0.75 end, 1.0, 0.0
from range(17045, 17830) where range not in (select day from calendar);
