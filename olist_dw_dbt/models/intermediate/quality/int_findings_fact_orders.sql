{{ find_in('fact_orders', parents=['dim_customer']) }}
