{{ find_in('dim_product') }}
