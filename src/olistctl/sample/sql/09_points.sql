-- One row per line of the geolocation file, numbered `n` in the order of the zips.
create table points as
with counted as (
    select zid, points, sum(points) over (order by zid) - points as before from zips where points > 0
)
select zid, (before + k)::int as n
from (select zid, before, unnest(range(points)) as k from counted);
