{{ find_in('dim_category') }}
