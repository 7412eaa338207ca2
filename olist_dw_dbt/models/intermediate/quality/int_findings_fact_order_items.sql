{{ find_in('fact_order_items', parents=['fact_orders', 'dim_product', 'dim_seller']) }}
