{{ amounts_of_source('geolocation') }}
