-- Who writes, and when: the day after delivery, or after the promised day when nothing has come.
create table reviews as
with asked as (
    select
        o.*, (r::bigint * getvariable('review_step') + getvariable('review_shift')) % getvariable('orders') as review_no,
        status = 'delivered' and rank >= getvariable('told') and rank < getvariable('told') + getvariable('told_count')
            as is_told
    from orders as o
),
counted as (
    select
        *,
        case when is_told then 1 when review_no < getvariable('unreviewed') then 0
            when review_no < getvariable('unreviewed') + getvariable('thrice') then 3
            when review_no < getvariable('unreviewed') + getvariable('twice') then 2 else 1 end as n
    from asked
),
-- One review may speak of two orders that a person made in one go: the later order repeats the first one's.
sources as (
    select
        c.r, case when c.is_echo and f.n = 1 and c.n = 1 then f.r else c.r end as source, c.n
    from counted as c
    left join (select * from counted where nth = 0) as f on c.is_echo and f.person = c.person
),
listed as (
    select
        s.r, unnest(range(1, s.n + 1))::int as nth_review, s.source, c.is_told, c.rank - getvariable('told') as told_no,
        c.status, c.purchased, c.delivered_at, c.estimated_day, draws('review', s.source * 4 + nth_review) as b,
        draws('review times', s.source * 4 + nth_review) as bt, draws('words', s.source * 4 + nth_review) as bw
    from sources as s join counted as c on c.r = s.source
),
timed as (
    select
        *, delivered_at // 86400 - estimated_day as late,
        case when delivered_at is null or delivered_at // 86400 > estimated_day + 1
                then estimated_day + pick(u(bt, 0), [1, 2, 2, 2, 2, 2, 2, 2, 3, 4])
            when u(bt, 0) < 0.035 then delivered_at // 86400 - floor(u(bt, 3) * 4)::bigint
            when u(bt, 0) > 0.985 then delivered_at // 86400 + 2
            else delivered_at // 86400 + 1 end + (nth_review - 1) * 3 as raw_day
    from listed
),
scored as (
    select
        *, greatest(raw_day, purchased // 86400 + 1) as day,
        case when is_told then 5 else 1 + list_count(list_filter(
            case when late is null then [0.7117, 0.787, 0.868, 0.917]
                when late > 7 then [0.664, 0.776, 0.878, 0.926]
                when late > 3 then [0.505, 0.594, 0.726, 0.825]
                when late > 0 then [0.150, 0.195, 0.340, 0.570]
                when late > -5 then [0.072, 0.105, 0.210, 0.426]
                else [0.0665, 0.0925, 0.173, 0.377] end,
            lambda upto: u(b, 0) >= upto)) end::int as score
    from timed
),
voiced as (
    select
        *,
        case when score >= 4 then 3 when score = 3 then 2 else 1 end as mood,
        not is_told and u(b, 1) < [0.161, 0.152, 0.106, 0.092, 0.117][score] as has_title,
        is_told or u(b, 2) < [0.761, 0.653, 0.459, 0.306, 0.361][score] as has_message,
        -- The first told reviews show each oddity once, whatever the size.
        case when is_told then [0.5, 0.5, 0.99, 0.5][1 + told_no] else u(b, 3) end as oddity,
        draws('more words', source * 4 + nth_review) as bx
    from scored
),
worded as (
    select
        *,
        case when u(bw, 0) < case mood when 3 then 0.27 when 2 then 0.2 else 0.13 end and not is_told
            then say_short(u(bw, 1), mood)
        else concat(
            case when oddity > 0.9955 or is_told and told_no = 0 then say_quote(u(bx, 0), mood)
                when u(bw, 1) < 0.55 then say_what(u(bw, 2), mood) else say_delivery(u(bw, 2), mood) end,
            case when u(bw, 0) > case mood when 3 then 0.56 when 2 then 0.46 else 0.30 end or is_told then concat(
                case when is_told and told_no = 1 or oddity > 0.72 and oddity < 0.80 then concat('.', chr(13), chr(10))
                    when oddity < 0.15 then ', ' when oddity < 0.3 then ' e ' else '. ' end,
                case when oddity < 0.3
                    then small_first(case when u(bw, 1) < 0.55 then say_delivery(u(bw, 3), mood) else say_what(u(bw, 3), mood) end)
                    when u(bw, 1) < 0.55 then say_delivery(u(bw, 3), mood) else say_what(u(bw, 3), mood) end) end,
            case when u(bw, 0) > case mood when 3 then 0.80 when 2 then 0.65 else 0.48 end then concat(
                case when oddity > 0.70 and oddity < 0.84 then concat('.', chr(13), chr(10)) else '. ' end,
                say_end(u(bw, 4), mood)) end,
            case when u(bw, 0) > case mood when 3 then 0.92 when 2 then 0.85 else 0.74 end then concat('. ',
                -- Half a list further than before, so that nobody says the same twice.
                case when u(bw, 1) < 0.55 then say_what((u(bw, 2) + 0.5) % 1, mood)
                    else say_delivery((u(bw, 2) + 0.5) % 1, mood) end) end,
            case when u(bw, 0) > case mood when 3 then 0.965 when 2 then 0.91 else 0.83 end then concat(', ',
                small_first(say_end((u(bw, 4) + 0.5) % 1, mood))) end,
            case when oddity > 0.84 and oddity < 0.885 then concat(chr(13), chr(10), chr(13), chr(10), say_sign(u(bx, 3), mood))
                when u(bx, 3) < 0.22 then '!' when u(bx, 3) < 0.62 then '.' when u(bx, 3) < 0.66 then '...'
                when u(bx, 3) < 0.70 then '!!!' when u(bx, 3) < 0.73 then ' ' else '' end
        ) end as plain
    from voiced
),
-- People write in a hurry: without accents, without capitals, in capitals, with a blank at the end.
typed as (
    select
        *,
        case when oddity > 0.986 and oddity <= 0.9955 and not (is_told and told_no = 0) then concat(styled, ' ', say_emoji(u(bx, 0), mood))
            when u(bx, 2) > 0.83 then concat(styled, ' ') else styled end as message
    from (
        select *,
            case when u(bx, 4) < 0.036 then upper(tidy) when u(bx, 4) < 0.15 then lower(strip_accents(tidy))
                when u(bx, 4) < 0.27 then strip_accents(tidy) when u(bx, 4) < 0.31 then lower(tidy)
                else tidy end as styled
        from (select *, replace(replace(plain, '?.', '?'), '?,', '?') as tidy from worded)
    )
)
select
    r, nth_review, source, score,
    case when has_title then case when u(bx, 1) < 0.3 then lower(strip_accents(say_title(u(bt, 3), mood)))
        when u(bx, 1) < 0.42 then concat(say_title(u(bt, 3), mood), ' ') when u(bx, 1) < 0.46 then upper(say_title(u(bt, 3), mood))
        else say_title(u(bt, 3), mood) end end as title,
    case when has_message then left(message, 208) end as message,
    day::int as day,
    (day + floor(curve(u(bt, 1), 'answer_days'))::bigint) * 86400
        + case when u(bt, 1) < 0.24 then 32400 + floor(curve(u(bt, 2), 'answer_hours') * 0.62)::bigint
            else floor(curve(u(bt, 2), 'answer_hours'))::bigint end as answered_at
from typed;
