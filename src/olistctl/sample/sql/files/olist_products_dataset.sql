select concat(
    id_text(hex_id('product', product)), ',',
    case when is_bare then ',,,' else concat(category, ',', name_length, ',', description_length, ',', photos) end, ',',
    case when is_unmeasured then ',,,' else concat(weight_g, ',', length_cm, ',', height_cm, ',', width_cm) end) as {header}
from products
order by draws('products file', product)
