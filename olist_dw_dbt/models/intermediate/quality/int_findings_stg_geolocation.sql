{{ find_in('stg_geolocation') }}
