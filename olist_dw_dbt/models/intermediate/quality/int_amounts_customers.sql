{{ amounts_of_source('customers') }}
