{%- set first_spine_date = "cast('1970-01-01' as date)" -%}
{%- set last_spine_date = "cast('2099-12-31' as date)" -%}

with orders as (
    select * from {{ ref('int_order_enriched') }}
),

order_items as (
    select * from {{ ref('stg_order_items') }}
),

order_reviews as (
    select * from {{ ref('stg_order_reviews') }}
),

dates_in_data as (
    select cast(order_purchase_timestamp as date) as full_date from orders
    union
    select cast(order_approved_at as date) as full_date from orders
    union
    select cast(order_delivered_carrier_date as date) as full_date from orders
    union
    select cast(order_delivered_customer_date as date) as full_date from orders
    union
    select cast(order_estimated_delivery_date as date) as full_date from orders
    union
    select cast(shipping_limit_date as date) as full_date from order_items
    union
    select cast(review_creation_date as date) as full_date from order_reviews
    union
    select cast(review_answer_timestamp as date) as full_date from order_reviews
),

bounds as (
    select
        least(coalesce(min(full_date), cast('2016-01-01' as date)), cast('2016-01-01' as date)) as first_date,
        greatest(coalesce(max(full_date), cast('2020-12-31' as date)), cast('2020-12-31' as date)) as last_date
    from dates_in_data
    where full_date between {{ first_spine_date }} and {{ last_spine_date }}
),

-- 130 years of day numbers; a year that only a slip of the pen can name adds its day, not the years between.
day_numbers as (
    {{ dbt.generate_series(47482) }}
),

spine as (
    select cast({{ dbt.dateadd('day', 'generated_number - 1', first_spine_date) }} as date) as full_date
    from day_numbers
),

days as (
    select spine.full_date
    from spine
    inner join bounds on spine.full_date between bounds.first_date and bounds.last_date

    union

    select full_date
    from dates_in_data
    where full_date is not null
),

parts as (
    select
        full_date,
        cast({{ dbt.last_day('full_date', 'month') }} as date) as month_end,
        cast(extract(year from full_date) as integer) as year,
        cast(extract(quarter from full_date) as integer) as quarter,
        cast(extract(month from full_date) as integer) as month,
        cast(extract(week from full_date) as integer) as week_of_year,
        cast(extract(day from full_date) as integer) as day_of_month,
        {{ iso_day_of_week('full_date') }} as day_of_week
    from days
),

members as (
    select
        {{ date_key('full_date') }} as date_key,
        full_date,
        year,
        quarter,
        month,
        {{ name_of('month', ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August',
            'September', 'October', 'November', 'December']) }} as month_name,
        {{ year_month('full_date') }} as year_month,
        week_of_year,
        day_of_month,
        day_of_week,
        {{ name_of('day_of_week', ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday',
            'Sunday']) }} as day_name,
        day_of_week >= 6 as is_weekend,
        full_date = month_end as is_month_end,
        cast(extract(day from month_end) as integer) as days_in_month
    from parts
),

unknown_member as (
    select
        -1 as date_key,
        cast(null as date) as full_date,
        cast(null as integer) as year,
        cast(null as integer) as quarter,
        cast(null as integer) as month,
        'unknown' as month_name,
        'unknown' as year_month,
        cast(null as integer) as week_of_year,
        cast(null as integer) as day_of_month,
        cast(null as integer) as day_of_week,
        'unknown' as day_name,
        cast(null as boolean) as is_weekend,
        cast(null as boolean) as is_month_end,
        cast(null as integer) as days_in_month
),

final as (
    select * from members
    union all
    select * from unknown_member
)

select * from final
