select concat(id_text(hex_id('customer', o.r)), ',', id_text(hex_id('person', o.person)), ',"', z.zip, '",', z.city, ',', z.state) as {header}
from orders as o join zips as z using (zid)
order by draws('customers file', o.r)
