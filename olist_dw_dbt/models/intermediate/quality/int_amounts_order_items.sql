{{ amounts_of_source('order_items') }}
