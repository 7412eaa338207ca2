{#-
    A statement of account: what a layer holds, what is known to be set aside or added on the way to the next, what that
    one holds, and what is left unexplained. Each layer is added up on its own, and the reasons from the rows that they are
    about, never as the difference of the two.
-#}
{%- set has_ledger = not execute or load_relation(source('etl', 'source_files')) is not none -%}
{%- set sources = {
    'customers': {'table': 'stg_customers', 'key': ['customer_id']},
    'orders': {'table': 'stg_orders', 'key': ['order_id']},
    'order_items': {'table': 'stg_order_items', 'key': ['order_id', 'order_item_id'], 'cents': ['price', 'freight_value']},
    'order_payments': {'table': 'stg_order_payments', 'key': ['order_id', 'payment_sequential'], 'cents': ['payment_value']},
    'order_reviews': {'table': 'stg_order_reviews', 'key': ['review_id', 'order_id']},
    'products': {'table': 'stg_products', 'key': ['product_id']},
    'sellers': {'table': 'stg_sellers', 'key': ['seller_id']},
    'geolocation': {'table': 'stg_geolocation', 'key': []},
    'category_translation': {'table': 'stg_category_translation', 'key': ['product_category_name']},
} -%}
{%- set members = {
    'customers': ['dim_customer', 'customer_key', 'customer_id'],
    'products': ['dim_product', 'product_key', 'product_id'],
    'sellers': ['dim_seller', 'seller_key', 'seller_id'],
} -%}
with
{%- for name, about in sources.items() %}
{%- set cents = about.get('cents', []) %}
{%- set cleaned = [] %}
{%- for column in about.key %}{% do cleaned.append(cleaned_key(column)) %}{% endfor %}

raw_{{ name }} as (
    select
        count(*) as row_count
        {%- for column in cents %},
        sum({{ column }}) as {{ column }}
        {%- endfor %}
    from {{ source('raw', about.table) }}
),

staging_{{ name }} as (
    select
        count(*) as row_count
        {%- for column in cents %},
        sum({{ column }}) as {{ column }}
        {%- endfor %}
    from {{ ref(about.table) }}
),
{%- if about.key %}

-- The records of a key but the last one, by file name and line.
replaced_{{ name }} as (
    select
        count(*) as row_count
        {%- for column in cents %},
        sum({{ column }}) as {{ column }}
        {%- endfor %}
    from (
        select
            {% for column in cents %}{{ column }}, {% endfor -%}
            row_number() over (
                partition by {{ cleaned | join(', ') }}
                order by _source_file desc, _source_line desc
            ) as recency
        from {{ source('raw', about.table) }}
        where {{ key_number(cleaned) }} in (
            select {{ key_number(cleaned) }}
            from {{ source('raw', about.table) }}
            group by {{ key_number(cleaned) }}
            having count(*) > 1
        )
    ) as repeated
    where recency > 1
),
{%- endif %}
{%- endfor %}

fact_orders as (
    select
        count(*) as row_count,
        sum(case when has_items then 0 else 1 end) as without_items
    from {{ ref('fact_orders') }}
),

-- Looked for once, in the rows of all three facts.
missing_orders as (
    select order_id
    from (
        select order_id from {{ ref('fact_order_items') }}
        union all
        select order_id from {{ ref('fact_payments') }}
        union all
        select order_id from {{ ref('fact_reviews') }}
    ) as belongings
    where order_id not in (select order_id from {{ ref('fact_orders') }})
),

fact_order_items as (
    select
        count(*) as row_count,
        sum(price) as price,
        sum(freight_value) as freight_value,
        sum(case when is_orphan then 1 else 0 end) as orphans,
        sum(case when is_orphan then price else 0 end) as orphan_price,
        sum(case when is_orphan then freight_value else 0 end) as orphan_freight_value
    from (
        select
            *,
            order_id in (select order_id from missing_orders) as is_orphan
        from {{ ref('fact_order_items') }}
    ) as items
),

fact_payments as (
    select
        count(*) as row_count,
        sum(payment_value) as payment_value,
        sum(case when is_orphan then payment_value else 0 end) as orphan_payment_value
    from (
        select
            *,
            order_id in (select order_id from missing_orders) as is_orphan
        from {{ ref('fact_payments') }}
    ) as payments
),

fact_reviews as (
    select
        count(*) as row_count,
        sum(case when is_orphan then 1 else 0 end) as orphans,
        sum(case when is_latest_review or is_orphan then 0 else 1 end) as earlier
    from (
        select
            *,
            order_id in (select order_id from missing_orders) as is_orphan
        from {{ ref('fact_reviews') }}
    ) as reviews
),
{%- for name, (dimension, surrogate_key, natural_key) in members.items() %}
{%- if has_ledger %}

open_{{ name }} as (
    select {{ clean_text(key_value('key', natural_key)) }} as {{ natural_key }}
    from {{ source('etl', 'quarantine') }}
    where source = '{{ name }}' and is_present and status = 'open' and key is not null
),
{%- endif %}

{{ dimension }} as (
    select
        count(*) as row_count,
        {%- if name == 'customers' %}
        sum(case when geography_key <> '-1' then 1 else 0 end) as located,
        sum(
            case
                when customer_zip_code_prefix not in (select zip_code_prefix from {{ ref('dim_geography') }}) then 1
                else 0
            end
        ) as unmatched,
        {%- endif %}
        {%- if has_ledger %}
        sum(
            case
                when
                    {{ natural_key }} in (select {{ natural_key }} from open_{{ name }})
                    and {{ natural_key }} not in (
                        select {{ natural_key }}
                        from {{ ref('stg_' ~ name) }}
                        where {{ natural_key }} in (select {{ natural_key }} from open_{{ name }})
                    )
                    then 1
                else 0
            end
        ) as kept
        {%- else %}
        0 as kept
        {%- endif %}
    from {{ ref(dimension) }}
    where is_current and {{ surrogate_key }} <> '-1'
),
{%- endfor %}

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
    select
        count(*) as row_count,
        sum(point_count) as point_count
    from {{ ref('dim_geography') }}
    where geography_key <> '-1'
),

points as (
    select count(geolocation_zip_code_prefix) - count(distinct geolocation_zip_code_prefix) as further_points
    from {{ ref('stg_geolocation') }}
),

dim_category as (
    select
        count(*) as row_count,
        sum(case when is_translated then 0 else 1 end) as untranslated
    from {{ ref('dim_category') }}
    where category_key <> '-1'
),

executive as (
    select
        sum(order_count) as order_count,
        sum(orders_with_items) as orders_with_items,
        sum(items_sold) as items_sold,
        sum(revenue) as revenue,
        sum(freight) as freight,
        sum(payments) as payments,
        sum(reviewed_orders) as reviewed_orders
    from {{ ref('mart_executive_dashboard') }}
),

people as (
    select count(*) as row_count from {{ ref('mart_customer_analytics') }}
),

product_sales as (
    select sum(revenue) as revenue from {{ ref('mart_product_performance') }}
),

seller_sales as (
    select sum(revenue) as revenue from {{ ref('mart_seller_scorecard') }}
),
{%- if has_ledger %}

files as (
    select
        source,
        sum(records) as record_count
    from {{ source('etl', 'source_files') }}
    group by source
),
{%- for name, about in sources.items() if about.cents %}

-- What the rows of each file added up to when they were read; of a file that an older release loaded, what they do now.
files_{{ name }} as (
    select
        {%- for column in about.cents %}
        sum(coalesce(cast({{ key_value('files.amounts', column) }} as decimal(18, 2)), now.{{ column }}, 0)) as {{ column }}
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    from {{ source('etl', 'source_files') }} as files
    left join (
        select
            _source_file,
            {%- for column in about.cents %}
            sum({{ column }}) as {{ column }} {%- if not loop.last %},{% endif %}
            {%- endfor %}
        from {{ source('raw', about.table) }}
        group by _source_file
    ) as now
        on files.file_name = now._source_file
    where files.source = '{{ name }}'
),
{%- endfor %}

quarantined as (
    select
        source,
        sum(case when status = 'open' then 1 else 0 end) as open_count,
        sum(case when status = 'discarded' then 1 else 0 end) as discarded_count
    from {{ source('etl', 'quarantine') }}
    where is_present
    group by source
),
{%- endif %}

{#- (flow, unit, from, its amount, the reasons with their signed amounts, to, its amount) -#}
{%- set steps = [] -%}
{%- for name, about in sources.items() -%}
    {%- set raw, staging = 'raw.' ~ about.table, 'staging.' ~ about.table -%}
    {%- if has_ledger -%}
        {%- do steps.append((
            name, 'rows', 'files', "select record_count from files where source = '" ~ name ~ "'",
            [
                ('records in quarantine', "select -open_count from quarantined where source = '" ~ name ~ "'"),
                ('records discarded', "select -discarded_count from quarantined where source = '" ~ name ~ "'"),
            ],
            raw, 'select row_count from raw_' ~ name,
        )) -%}
    {%- endif -%}
    {%- if has_ledger -%}
        {%- for column in about.get('cents', []) -%}
            {%- do steps.append((
                name ~ ' ' ~ column, 'reais', 'files', 'select ' ~ column ~ ' from files_' ~ name, [],
                raw, 'select ' ~ column ~ ' from raw_' ~ name,
            )) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- for column in ['row_count'] + about.get('cents', []) -%}
        {%- set reasons = [('replaced by a later record of the key', 'select -' ~ column ~ ' from replaced_' ~ name)] -%}
        {%- do steps.append((
            name ~ ('' if column == 'row_count' else ' ' ~ column), 'rows' if column == 'row_count' else 'reais',
            raw, 'select ' ~ column ~ ' from raw_' ~ name, reasons if about.key else [],
            staging, 'select ' ~ column ~ ' from staging_' ~ name,
        )) -%}
    {%- endfor -%}
{%- endfor -%}
{%- for flow, source, column, fact in [
    ('orders', 'orders', 'row_count', 'fact_orders'),
    ('order_items', 'order_items', 'row_count', 'fact_order_items'),
    ('order_items price', 'order_items', 'price', 'fact_order_items'),
    ('order_items freight_value', 'order_items', 'freight_value', 'fact_order_items'),
    ('order_payments', 'order_payments', 'row_count', 'fact_payments'),
    ('order_payments payment_value', 'order_payments', 'payment_value', 'fact_payments'),
    ('order_reviews', 'order_reviews', 'row_count', 'fact_reviews'),
] -%}
    {%- do steps.append((
        flow, 'rows' if column == 'row_count' else 'reais',
        'staging.' ~ sources[source].table, 'select ' ~ column ~ ' from staging_' ~ source, [],
        'core.' ~ fact, 'select ' ~ column ~ ' from ' ~ fact,
    )) -%}
{%- endfor -%}
{%- for name, (dimension, surrogate_key, natural_key) in members.items() -%}
    {%- do steps.append((
        name, 'rows', 'staging.' ~ sources[name].table, 'select row_count from staging_' ~ name,
        [('kept while their record is in quarantine', 'select kept from ' ~ dimension)],
        'core.' ~ dimension, 'select row_count from ' ~ dimension,
    )) -%}
{%- endfor -%}
{%- do steps.append((
    'geolocation', 'rows', 'staging.stg_geolocation', 'select row_count from staging_geolocation',
    [('further points of the same zip prefix', 'select -further_points from points')],
    'core.dim_geography', 'select row_count from dim_geography',
)) -%}
{%- do steps.append((
    'category_translation', 'rows', 'staging.stg_category_translation',
    'select row_count from staging_category_translation',
    [('categories of products without a translation', 'select untranslated from dim_category')],
    'core.dim_category', 'select row_count from dim_category',
)) -%}
{%- do steps.append((
    'customers', 'rows', 'core.dim_customer', 'select row_count from dim_customer',
    [('further customer_ids of the same person', 'select -row_count from further_ids')],
    'mart.mart_customer_analytics', 'select row_count from people',
)) -%}
{%- do steps.append((
    'customers on the map', 'rows', 'staging.stg_customers', 'select row_count from staging_customers',
    [
        ('kept while their record is in quarantine', 'select kept from dim_customer'),
        ('zip prefixes that geolocation lacks', 'select -unmatched from dim_customer'),
    ],
    'core.dim_customer with its geography', 'select located from dim_customer',
)) -%}
{%- do steps.append((
    'orders', 'rows', 'core.fact_orders', 'select row_count from fact_orders', [],
    'mart.mart_executive_dashboard', 'select order_count from executive',
)) -%}
{%- do steps.append((
    'orders with items', 'rows', 'core.fact_orders', 'select row_count from fact_orders',
    [('orders without items', 'select -without_items from fact_orders')],
    'mart.mart_executive_dashboard', 'select orders_with_items from executive',
)) -%}
{%- for flow, unit, column, orphans, measure in [
    ('order_items', 'rows', 'row_count', 'orphans', 'items_sold'),
    ('order_items price', 'reais', 'price', 'orphan_price', 'revenue'),
    ('order_items freight_value', 'reais', 'freight_value', 'orphan_freight_value', 'freight'),
] -%}
    {%- do steps.append((
        flow, unit, 'core.fact_order_items', 'select ' ~ column ~ ' from fact_order_items',
        [('items whose order is missing', 'select -' ~ orphans ~ ' from fact_order_items')],
        'mart.mart_executive_dashboard', 'select ' ~ measure ~ ' from executive',
    )) -%}
{%- endfor -%}
{%- for flow, mart, sales in [
    ('price by product', 'mart_product_performance', 'product_sales'),
    ('price by seller', 'mart_seller_scorecard', 'seller_sales'),
] -%}
    {%- do steps.append((
        'order_items ' ~ flow, 'reais', 'core.fact_order_items', 'select price from fact_order_items', [],
        'mart.' ~ mart, 'select revenue from ' ~ sales,
    )) -%}
{%- endfor -%}
{%- do steps.append((
    'order_payments payment_value', 'reais', 'core.fact_payments', 'select payment_value from fact_payments',
    [('payments whose order is missing', 'select -orphan_payment_value from fact_payments')],
    'mart.mart_executive_dashboard', 'select payments from executive',
)) -%}
{%- do steps.append((
    'order_reviews', 'rows', 'core.fact_reviews', 'select row_count from fact_reviews',
    [
        ('earlier reviews of the same order', 'select -earlier from fact_reviews'),
        ('reviews whose order is missing', 'select -orphans from fact_reviews'),
    ],
    'mart.mart_executive_dashboard', 'select reviewed_orders from executive',
)) %}

{#- (step, line, flow, unit, from, to, kind, entry), and by step the amounts of its lines -#}
{%- set lines = [] -%}
{%- set amounts = [] -%}
{%- for flow, unit, from_relation, from_amount, reasons, to_relation, to_amount in steps -%}
    {%- set step = loop.index -%}
    {%- set of_step = [('opening', from_relation, from_amount)] -%}
    {%- for reason, amount in reasons -%} {%- do of_step.append(('reason', reason, amount)) -%} {%- endfor -%}
    {%- do of_step.append(('closing', to_relation, to_amount)) -%}
    {%- for kind, entry, _ in of_step -%}
        {%- do lines.append((step, loop.index, flow, unit, from_relation, to_relation, kind, entry)) -%}
    {%- endfor -%}
    {%- do amounts.append(of_step | map(attribute=2) | list) -%}
{%- endfor -%}
{%- set longest = amounts | map('length') | max %}

-- A row for each step: an engine that joins what is looked up would take longest to think about a row of them all.
amounts as (
    {%- for of_step in amounts %}
    select
        {{ loop.index }} as step
        {%- for number in range(longest) %},
        cast(
            {%- if number < of_step | length %} coalesce(({{ of_step[number] }}), 0) {%- else %} null {%- endif %}
            as decimal(18, 2)
        ) as amount_{{ number + 1 }}
        {%- endfor %}
    {% if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
),

entries as (
    select
        lines.step,
        lines.line,
        lines.flow,
        lines.unit,
        lines.from_relation,
        lines.to_relation,
        lines.kind,
        lines.entry,
        case lines.line
            {%- for number in range(1, longest + 1) %}
            when {{ number }} then amounts.amount_{{ number }}
            {%- endfor %}
        end as amount
    from (
        values
        {%- for line in lines %}
        ({{ line[:2] | join(', ') }}, '{{ line[2:] | join("', '") }}') {%- if not loop.last %},{% endif %}
        {%- endfor %}
    ) as lines (step, line, flow, unit, from_relation, to_relation, kind, entry)
    inner join amounts on lines.step = amounts.step
),

balances as (
    select
        step,
        max(line) + 1 as line,
        flow,
        unit,
        from_relation,
        to_relation,
        'unexplained' as kind,
        'unexplained' as entry,
        cast(sum(case when kind = 'closing' then amount else -amount end) as decimal(18, 2)) as amount
    from entries
    group by step, flow, unit, from_relation, to_relation
),

final as (
    select * from entries
    union all
    select * from balances
)

select
    *,
    case
        when kind = 'unexplained' and amount <> 0
            then {{ dbt.concat(['flow', "': '", as_text('amount'), "' '", 'unit', "' between '", 'from_relation',
                "' and '", 'to_relation', "' that nothing explains'"]) }}
    end as message
from final
