{{ amounts_of_source('sellers') }}
