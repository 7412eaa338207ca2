{{ amounts_of_source('order_payments') }}
