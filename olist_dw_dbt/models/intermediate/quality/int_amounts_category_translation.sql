{{ amounts_of_source('category_translation') }}
