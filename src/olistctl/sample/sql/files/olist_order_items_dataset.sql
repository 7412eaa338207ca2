select concat(
    id_text(o.order_id), ',', i.item, ',', id_text(hex_id('product', i.product)), ',', id_text(hex_id('seller', i.seller)), ',',
    time_text(i.limit_at), ',', money(i.price), ',', money(i.freight)) as {header}
from items as i join (select r, hex_id('order', r) as order_id from orders) as o using (r)
order by o.order_id, i.item
