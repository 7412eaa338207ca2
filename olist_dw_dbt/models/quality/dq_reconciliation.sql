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

{#- Amounts are named `relation.column`, with a minus before one that is to be taken away. By source there are
    `files.<source>`, `open.<source>` and `discarded.<source>`: the first and only column of the one relation, the first
    and the second of the other. -#}
{%- set by_source = {'files': ('files', 1), 'open': ('quarantined', 1), 'discarded': ('quarantined', 2)} -%}
{%- set columns_by_source = {'files': ['record_count'], 'quarantined': ['open_count', 'discarded_count']} -%}
{#- (flow, unit, from, its amount, the reasons with their signed amounts, to, its amount) -#}
{%- set steps = [] -%}
{%- for name, about in sources.items() -%}
    {%- set raw, staging = 'raw.' ~ about.table, 'staging.' ~ about.table -%}
    {%- if has_ledger -%}
        {%- do steps.append((
            name, 'rows', 'files', 'files.' ~ name,
            [
                ('records in quarantine', '-open.' ~ name),
                ('records discarded', '-discarded.' ~ name),
            ],
            raw, 'raw_' ~ name ~ '.row_count',
        )) -%}
    {%- endif -%}
    {%- if has_ledger -%}
        {%- for column in about.get('cents', []) -%}
            {%- do steps.append((
                name ~ ' ' ~ column, 'reais', 'files', 'files_' ~ name ~ '.' ~ column, [],
                raw, 'raw_' ~ name ~ '.' ~ column,
            )) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- for column in ['row_count'] + about.get('cents', []) -%}
        {%- set reasons = [('replaced by a later record of the key', '-replaced_' ~ name ~ '.' ~ column)] -%}
        {%- do steps.append((
            name ~ ('' if column == 'row_count' else ' ' ~ column), 'rows' if column == 'row_count' else 'reais',
            raw, 'raw_' ~ name ~ '.' ~ column, reasons if about.key else [],
            staging, 'staging_' ~ name ~ '.' ~ column,
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
        'staging.' ~ sources[source].table, 'staging_' ~ source ~ '.' ~ column, [],
        'core.' ~ fact, fact ~ '.' ~ column,
    )) -%}
{%- endfor -%}
{%- for name, (dimension, surrogate_key, natural_key) in members.items() -%}
    {%- do steps.append((
        name, 'rows', 'staging.' ~ sources[name].table, 'staging_' ~ name ~ '.row_count',
        [('kept while their record is in quarantine', dimension ~ '.kept')],
        'core.' ~ dimension, dimension ~ '.row_count',
    )) -%}
{%- endfor -%}
{%- do steps.append((
    'geolocation', 'rows', 'staging.stg_geolocation', 'staging_geolocation.row_count',
    [('further points of the same zip prefix', '-points.further_points')],
    'core.dim_geography', 'dim_geography.row_count',
)) -%}
{%- do steps.append((
    'category_translation', 'rows', 'staging.stg_category_translation',
    'staging_category_translation.row_count',
    [('categories of products without a translation', 'dim_category.untranslated')],
    'core.dim_category', 'dim_category.row_count',
)) -%}
{%- do steps.append((
    'customers', 'rows', 'core.dim_customer', 'dim_customer.row_count',
    [('further customer_ids of the same person', '-further_ids.row_count')],
    'mart.mart_customer_analytics', 'people.row_count',
)) -%}
{%- do steps.append((
    'customers on the map', 'rows', 'staging.stg_customers', 'staging_customers.row_count',
    [
        ('kept while their record is in quarantine', 'dim_customer.kept'),
        ('zip prefixes that geolocation lacks', '-dim_customer.unmatched'),
    ],
    'core.dim_customer with its geography', 'dim_customer.located',
)) -%}
{%- do steps.append((
    'orders', 'rows', 'core.fact_orders', 'fact_orders.row_count', [],
    'mart.mart_executive_dashboard', 'executive.order_count',
)) -%}
{%- do steps.append((
    'orders with items', 'rows', 'core.fact_orders', 'fact_orders.row_count',
    [('orders without items', '-fact_orders.without_items')],
    'mart.mart_executive_dashboard', 'executive.orders_with_items',
)) -%}
{%- for flow, unit, column, orphans, measure in [
    ('order_items', 'rows', 'row_count', 'orphans', 'items_sold'),
    ('order_items price', 'reais', 'price', 'orphan_price', 'revenue'),
    ('order_items freight_value', 'reais', 'freight_value', 'orphan_freight_value', 'freight'),
] -%}
    {%- do steps.append((
        flow, unit, 'core.fact_order_items', 'fact_order_items.' ~ column,
        [('items whose order is missing', '-fact_order_items.' ~ orphans)],
        'mart.mart_executive_dashboard', 'executive.' ~ measure,
    )) -%}
{%- endfor -%}
{%- for flow, mart, sales in [
    ('price by product', 'mart_product_performance', 'product_sales'),
    ('price by seller', 'mart_seller_scorecard', 'seller_sales'),
] -%}
    {%- do steps.append((
        'order_items ' ~ flow, 'reais', 'core.fact_order_items', 'fact_order_items.price', [],
        'mart.' ~ mart, sales ~ '.revenue',
    )) -%}
{%- endfor -%}
{%- do steps.append((
    'order_payments payment_value', 'reais', 'core.fact_payments', 'fact_payments.payment_value',
    [('payments whose order is missing', '-fact_payments.orphan_payment_value')],
    'mart.mart_executive_dashboard', 'executive.payments',
)) -%}
{%- do steps.append((
    'order_reviews', 'rows', 'core.fact_reviews', 'fact_reviews.row_count',
    [
        ('earlier reviews of the same order', '-fact_reviews.earlier'),
        ('reviews whose order is missing', '-fact_reviews.orphans'),
    ],
    'mart.mart_executive_dashboard', 'executive.reviewed_orders',
)) %}

{#- (step, line, number of the column, sign), (flow, unit, from, to, kind, entry, relation); and relations with columns -#}
{%- set lines = [] -%}
{%- set relations = {} -%}
{%- for flow, unit, from_relation, from_amount, reasons, to_relation, to_amount in steps -%}
    {%- set step = loop.index -%}
    {%- set of_step = [('opening', from_relation, from_amount)] -%}
    {%- for reason, amount in reasons -%} {%- do of_step.append(('reason', reason, amount)) -%} {%- endfor -%}
    {%- do of_step.append(('closing', to_relation, to_amount)) -%}
    {%- for kind, entry, amount in of_step -%}
        {%- set relation, column = amount.lstrip('-').split('.') -%}
        {%- if relation in by_source -%}
            {%- set place, number = by_source[relation][0] ~ '.' ~ column, by_source[relation][1] -%}
        {%- else -%}
            {%- set columns = relations.setdefault(relation, []) -%}
            {%- if column not in columns -%} {%- do columns.append(column) -%} {%- endif -%}
            {%- set place, number = relation, columns.index(column) + 1 -%}
        {%- endif -%}
        {%- do lines.append((
            [step, loop.index, number, -1 if amount.startswith('-') else 1],
            [flow, unit, from_relation, to_relation, kind, entry, place],
        )) -%}
    {%- endfor -%}
{%- endfor -%}
{%- set most = relations.values() | map('length') | max -%}
{%- set looked_up = [] -%}
{%- for relation, columns in relations.items() -%}
    {%- do looked_up.append(("'" ~ relation ~ "'", relation, columns)) -%}
{%- endfor -%}
{%- for relation, columns in columns_by_source.items() if has_ledger -%}
    {%- do looked_up.append((dbt.concat(["'" ~ relation ~ ".'", 'source']), relation, columns)) -%}
{%- endfor %}

-- A row for each relation: to look up each amount by itself would take an engine longer to think about than to do, and
-- one that works a relation out for each who reads it would do so for each amount.
amounts as (
    {%- for name, relation, columns in looked_up %}
    select
        {{ name }} as relation
        {%- for number in range(most) %},
        {{ 'cast(' ~ columns[number] ~ ' as decimal(18, 2))' if number < columns | length else 'null' -}}
        {{ ' ' }}as amount_{{ number + 1 }}
        {%- endfor %}
    from {{ relation }}
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
        cast(
            lines.sign * coalesce(
                case lines.number
                    {%- for number in range(1, most + 1) %}
                    when {{ number }} then amounts.amount_{{ number }}
                    {%- endfor %}
                end, 0
            ) as decimal(18, 2)
        ) as amount
    from (
        values
        {%- for numbers, words in lines %}
        ({{ numbers | join(', ') }}, '{{ words | join("', '") }}') {%- if not loop.last %},{% endif %}
        {%- endfor %}
    ) as lines (step, line, number, sign, flow, unit, from_relation, to_relation, kind, entry, relation)
    left join amounts on lines.relation = amounts.relation
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
