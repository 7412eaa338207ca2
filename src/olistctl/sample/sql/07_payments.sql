-- What an order costs is what is paid, but for a few; an order without items was paid for all the same.
create table payments as
with bills as (
    select
        o.r, o.pay_type, o.pay_no, o.has_items, o.basket_no, t.bill, draws('payment', o.r) as b,
        not o.has_items and o.status = 'canceled' and o.rank < getvariable('undefined') as is_undefined,
        o.status = 'delivered' and o.rank >= getvariable('unpaid') and o.rank < getvariable('unpaid_end') as is_unpaid,
        o.pay_no >= getvariable('zero_vouchers_from')
            and o.pay_no < getvariable('zero_vouchers_from') + getvariable('zero_vouchers') as has_zero,
        o.pay_rows
    from orders as o
    left join (select r, sum(price + freight)::bigint as bill from items group by r) as t using (r)
),
owed as (
    select
        r, b, pay_no, is_undefined, has_zero,
        case when is_undefined then 'not_defined' else pay_type end as pay_type,
        case when is_undefined then 1 when is_unpaid then 0 else pay_rows end as n,
        case when is_undefined then 0
            when not has_items then floor(100 * curve(u(b, 0), 'lost_bills'))::bigint
            -- The cents of a rounding, sometimes the interest of a card.
            when basket_no >= getvariable('odd_bills') and basket_no < getvariable('odd_bills_end') then bill
                + case when u(b, 0) < 0.52 then -1 when u(b, 0) < 0.80 then 1 when u(b, 0) < 0.84 then -2
                    else floor(200 + u(b, 1) * u(b, 1) * 9000)::bigint end
            else bill end as bill
    from bills
),
-- Several rows: the first takes its share, the others (mostly vouchers) divide the rest by uneven cuts.
shared as (
    select
        *, n - has_zero::int as parts,
        case when n = 2 and pay_type = 'credit_card' and u(b, 2) < 0.12 then 'credit_card' else 'voucher' end as rest_type,
        case when n - has_zero::int <= 1 then bill else clamp(
            floor(bill * case when pay_type = 'credit_card' then 0.05 + 0.93 * sqrt(u(b, 3)) * u(b, 2)
                else 0.5 / n + 0.5 * u(b, 3) / n end)::bigint, 1, greatest(1, bill - 20 * (n - 1))) end as first_part
    from owed
),
listed as (
    select *, unnest(range(1, n + 1))::int as seq from shared
),
cut as (
    select
        *,
        case when seq = 1 then first_part when seq > parts then 0
            else payment_cut(bill - first_part, seq - 1, parts - 1, u(b, 1))
                - payment_cut(bill - first_part, seq - 2, parts - 1, u(b, 1)) end as cents
    from listed
)
select
    r, seq, case when seq = 1 then pay_type else rest_type end as type, cents,
    case when seq > 1 and rest_type <> 'credit_card' or pay_type <> 'credit_card' then 1
        when seq = 1 and pay_no >= getvariable('orders') - getvariable('no_instalments') then 0
        -- The dearer the order, the more instalments, but none below five reais.
        else least(
            pick(1 - power(1 - u(b, 4), clamp(sqrt(cents / 12500.0), 0.45, 2.6)), getvariable('instalments')),
            greatest(1, cents // 500)) end::int as instalments
from cut;
