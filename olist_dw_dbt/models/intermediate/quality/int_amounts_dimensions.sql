with dim_customer as (
    select
        count(*) as row_count,
        sum(case when geography_key <> '-1' then 1 else 0 end) as located,
        sum(
            case
                when customer_zip_code_prefix not in (select zip_code_prefix from {{ ref('dim_geography') }}) then 1
                else 0
            end
        ) as unmatched
    from {{ ref('dim_customer') }}
    where is_current and customer_key <> '-1'
),

dim_product as (
    select count(*) as row_count
    from {{ ref('dim_product') }}
    where is_current and product_key <> '-1'
),

dim_seller as (
    select count(*) as row_count
    from {{ ref('dim_seller') }}
    where is_current and seller_key <> '-1'
),

-- Only of the people who may have several ids: who has one has no further ones.
further_ids as (
    select count(*) - count(distinct customer_unique_id) as row_count
    from {{ ref('dim_customer') }}
    where
        is_current
        and customer_key <> '-1'
        and {{ key_number(['customer_unique_id']) }} in (
            select {{ key_number(['customer_unique_id']) }}
            from {{ ref('dim_customer') }}
            where is_current and customer_key <> '-1'
            group by {{ key_number(['customer_unique_id']) }}
            having count(*) > 1
        )
),

dim_geography as (
    select count(*) as row_count
    from {{ ref('dim_geography') }}
    where geography_key <> '-1'
),

dim_category as (
    select
        count(*) as row_count,
        sum(case when is_translated then 0 else 1 end) as untranslated
    from {{ ref('dim_category') }}
    where category_key <> '-1'
),

final as (
    {{- amounts_in([
        ('dim_customer', ['row_count', 'located', 'unmatched']),
        ('dim_product', ['row_count']),
        ('dim_seller', ['row_count']),
        ('further_ids', ['row_count']),
        ('dim_geography', ['row_count']),
        ('dim_category', ['row_count', 'untranslated']),
    ]) }}
)

select * from final
