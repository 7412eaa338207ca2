select concat(id_text(hex_id('seller', seller)), ',"', zip, '",', text_value(city), ',', state) as {header}
from sellers
order by draws('sellers file', seller)
