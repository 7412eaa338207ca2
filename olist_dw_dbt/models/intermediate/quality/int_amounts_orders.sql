{{ amounts_of_source('orders') }}
