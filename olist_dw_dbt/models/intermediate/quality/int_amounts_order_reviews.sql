{{ amounts_of_source('order_reviews') }}
