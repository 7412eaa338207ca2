with product_versions as (
    select * from {{ ref('snapshot_dim_product') }}
),

translations as (
    select * from {{ ref('stg_category_translation') }}
),

categories as (
    select product_category_name
    from product_versions
    where product_category_name is not null

    union

    select product_category_name
    from translations
),

members as (
    select
        {{ generate_surrogate_key(['categories.product_category_name']) }} as category_key,
        categories.product_category_name,
        coalesce(
            translations.product_category_name_english,
            categories.product_category_name
        ) as product_category_name_english,
        translations.product_category_name_english is not null as is_translated
    from categories
    left join translations on categories.product_category_name = translations.product_category_name
),

unknown_member as (
    select
        '-1' as category_key,
        'unknown' as product_category_name,
        'unknown' as product_category_name_english,
        false as is_translated
),

final as (
    select * from members
    union all
    select * from unknown_member
)

select * from final
