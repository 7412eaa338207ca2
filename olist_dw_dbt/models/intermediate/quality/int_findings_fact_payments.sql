{{ find_in('fact_payments', parents=['fact_orders']) }}
