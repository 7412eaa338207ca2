{{ find_in('dim_seller', parents=['dim_geography']) }}
