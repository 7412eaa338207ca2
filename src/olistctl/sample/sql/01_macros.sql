-- Every random draw comes from md5 of "seed|stream|row": the same on every machine, DuckDB version and
-- number of threads, which DuckDB's own hash() and random() do not promise.
-- `draws` gives 128 bits; `u` cuts five numbers in [0, 1) out of them, k = 0..4.
create macro draws(stream, id) as md5_number(concat(getvariable('seed'), '|', stream, '|', id));
create macro u(bits, k) as
    ((bits >> (25 * k)::uhugeint) & 33554431::uhugeint)::double / 33554432.0;
create macro hex_id(stream, id) as md5(concat(getvariable('seed'), '|', stream, '|', id));

-- Pick from a list, and read a curve: knots at equal shares of the rows, straight lines between them.
create macro pick(r, items) as items[1 + floor(r * len(items))::int];
create macro knots(r, k) as
    k[1 + floor(r * (len(k) - 1))::int]
    + (k[2 + floor(r * (len(k) - 1))::int] - k[1 + floor(r * (len(k) - 1))::int])
    * (r * (len(k) - 1) - floor(r * (len(k) - 1)));
create macro curve(r, name) as knots(r, getvariable(name));
create macro clamp(x, low, high) as least(greatest(x, low), high);
-- A heavy tail with mean 1: many small values and a few large ones (plain arithmetic, so exact everywhere).
create macro heavy(r) as least(3 * (sqrt(sqrt(1 / (1 - r))) - 1), 21.0);

-- One line of a file: a text is quoted when it starts with a digit or holds a comma, quote or newline.
create macro id_text(s) as case when s < 'a' then concat('"', s, '"') else s end;
create macro quoted(s) as concat('"', replace(s, '"', '""'), '"');
create macro text_value(s) as
    case when s < ':' and s >= '0' or contains(s, ',') or contains(s, '"') or contains(s, chr(10))
         then quoted(s) else coalesce(s, '') end;
create macro free_text(s) as
    case when contains(s, ',') or contains(s, '"') or contains(s, chr(10)) then quoted(s) else coalesce(s, '') end;
create macro small_first(s) as concat(lower(s[1]), s[2:]);
create macro money(cents) as concat(cents // 100, '.', cents % 100 // 10, cents % 10);
-- Within a stone's throw of the equator a number would be written as 5e-06; nobody lives there.
create macro latitude(x) as case when abs(x) < 0.001 then x + 0.002 else x end;
create macro time_text(seconds) as make_timestamp(seconds * 1000000)::varchar;

-- Times are whole seconds and days since 1970; day 0 was a Thursday, so 0 is Sunday here.
create macro weekday(day) as (day + 4) % 7;
create macro skip_weekend(day) as day + case weekday(day) when 6 then 2 when 0 then 1 else 0 end;
-- Carriers and postmen count in working days: `n` of them after `day`, a weekend counts as Monday.
-- Some of Friday's work is done on Saturday.
create macro after_workdays(day, n) as
    case when weekday(day) between 1 and 5 then day + n + 2 * ((weekday(day) - 1 + n) // 5)
        else day - (day + 6) % 7 + n + 1 + 2 * ((5 + n) // 5) end;
create macro workdays(days, r) as floor(days * 5 / 7 + r)::bigint;
create macro or_saturday(day, r, share) as day + (weekday(day) = 5 and r < share)::int;
-- Running totals are of whole numbers, so that no order of adding can change them.
create macro whole(x) as (x * 1000000)::bigint;
-- Where the k-th of `parts` cuts through a sum falls; cuts 0 and `parts` are its ends.
create macro payment_cut(total, k, parts, r) as
    case when k <= 0 then 0 when k >= parts then total
        else floor(total * (k + 0.7 * ((k * 0.6180339887498949::double + r) % 1 - 0.5)) / parts)::bigint end;
