{{ find_in('dim_customer', parents=['dim_geography']) }}
