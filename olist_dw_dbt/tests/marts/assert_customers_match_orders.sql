-- The people of the customer mart and the cohorts hold every order of a known person, to the cent.
{% set customers = ref('mart_customer_analytics') %}
{% set cohorts = ref('mart_cohort_analysis') %}
{% set orders = ref('fact_orders') %}
{% set of_people = orders ~ ' where customer_unique_id is not null' %}

{{ differences([
    ('people', 'select count(*) from ' ~ customers,
        'select count(distinct customer_unique_id) from ' ~ ref('dim_customer') ~ " where is_current and customer_key <> '-1'"),
    ('order_count', 'select sum(order_count) from ' ~ customers, 'select count(*) from ' ~ of_people),
    ('delivered_orders', 'select sum(delivered_orders) from ' ~ customers,
        'select count(*) from ' ~ of_people ~ ' and is_delivered'),
    ('gmv', 'select sum(gmv) from ' ~ customers, 'select sum(total_amount) from ' ~ of_people),
    ('payments', 'select sum(payments) from ' ~ customers, 'select sum(total_payment) from ' ~ of_people),
    ('lifetime_value', 'select sum(lifetime_value) from ' ~ customers,
        'select sum(total_amount) from ' ~ of_people ~ ' and is_delivered'),
    ('lifetime_parts', 'select sum(lifetime_revenue + lifetime_freight) from ' ~ customers,
        'select sum(lifetime_value) from ' ~ customers),
    ('cohort_order_count', 'select sum(order_count) from ' ~ cohorts, 'select count(*) from ' ~ of_people),
    ('cohort_repeat_orders', 'select sum(repeat_orders) from ' ~ cohorts,
        'select count(*) from ' ~ of_people ~ ' and not is_first_order'),
    ('cohort_revenue', 'select sum(revenue) from ' ~ cohorts, 'select sum(total_price) from ' ~ of_people),
    ('cohort_gmv', 'select sum(gmv) from ' ~ cohorts, 'select sum(total_amount) from ' ~ of_people),
    ('cohort_size', 'select sum(cohort_size) from ' ~ cohorts ~ ' where months_since_first_order = 0',
        'select count(distinct customer_unique_id) from ' ~ of_people),
]) }}
