select concat(id_text(hex_id('order', r)), ',', seq, ',', type, ',', instalments, ',', money(cents)) as {header}
from payments
order by draws('payments file', r * 32 + seq)
