select concat(
    id_text(hex_id('order', r)), ',', id_text(hex_id('customer', r)), ',', status, ',', time_text(purchased), ',',
    time_text(approved_at), ',', time_text(carrier_at), ',', time_text(delivered_at), ',',
    time_text(estimated_day::bigint * 86400)) as {header}
from orders
order by draws('orders file', r)
