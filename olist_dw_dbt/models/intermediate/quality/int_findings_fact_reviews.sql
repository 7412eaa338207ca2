{{ find_in('fact_reviews', parents=['fact_orders']) }}
