{{ amounts_of_source('products') }}
