{#-
    A statement of account: what a layer holds, what is known to be set aside or added on the way to the next, what that
    one holds, and what is left unexplained. Each layer is added up on its own, and the reasons from the rows that they are
    about, never as the difference of the two.
-#}
{%- set sources = reconciled_sources() -%}
{%- set measured = ['ledger', 'facts', 'dimensions'] + sources.keys() | list -%}
with executive as (
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

amounts as (
    {%- for name in measured %}
    select * from {{ ref('int_amounts_' ~ name) }}
    union all
    {%- endfor %}
    {{- amounts_in([
        ('executive', [
            'order_count', 'orders_with_items', 'items_sold', 'revenue', 'freight', 'payments', 'reviewed_orders',
        ]),
        ('people', ['row_count']),
        ('product_sales', ['revenue']),
        ('seller_sales', ['revenue']),
    ]) }}
),

{#- Amounts are named `relation.measure`, with a minus before one that is to be taken away. -#}
{#- (flow, unit, from, its amount, the reasons with their signed amounts, to, its amount) -#}
{%- set steps = [] -%}
{%- for name, about in sources.items() -%}
    {%- set raw, staging = 'raw.' ~ about.table, 'staging.' ~ about.table -%}
    {%- if has_ledger() -%}
        {%- do steps.append((
            name, 'rows', 'files', 'files_' ~ name ~ '.row_count',
            [
                ('records in quarantine', '-quarantined_' ~ name ~ '.open_count'),
                ('records discarded', '-quarantined_' ~ name ~ '.discarded_count'),
            ],
            raw, 'raw_' ~ name ~ '.row_count',
        )) -%}
        {%- for column in about.get('reais', []) -%}
            {%- do steps.append((
                name ~ ' ' ~ column, 'reais', 'files', 'files_' ~ name ~ '.' ~ column, [],
                raw, 'raw_' ~ name ~ '.' ~ column,
            )) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- for column in measures_of(name) -%}
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
{%- for name, dimension in members_of_sources().items() -%}
    {%- do steps.append((
        name, 'rows', 'staging.' ~ sources[name].table, 'staging_' ~ name ~ '.row_count',
        [('kept while their record is in quarantine', 'kept_' ~ name ~ '.row_count')],
        'core.' ~ dimension, dimension ~ '.row_count',
    )) -%}
{%- endfor -%}
{%- do steps.append((
    'geolocation', 'rows', 'staging.stg_geolocation', 'staging_geolocation.row_count',
    [('further points of the same zip prefix', '-further_geolocation.row_count')],
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
        ('kept while their record is in quarantine', 'kept_customers.row_count'),
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
{#- (step, line, sign), (flow, unit, from, to, kind, entry, relation, measure) -#}
{%- set lines = [] -%}
{%- for flow, unit, from_relation, from_amount, reasons, to_relation, to_amount in steps -%}
    {%- set step = loop.index -%}
    {%- set of_step = [('opening', from_relation, from_amount)] -%}
    {%- for reason, amount in reasons -%} {%- do of_step.append(('reason', reason, amount)) -%} {%- endfor -%}
    {%- do of_step.append(('closing', to_relation, to_amount)) -%}
    {%- for kind, entry, amount in of_step -%}
        {%- set sign = -1 if amount.startswith('-') else 1 -%}
        {%- set words = [flow, unit, from_relation, to_relation, kind, entry] + amount.lstrip('-').split('.') -%}
        {%- do lines.append(([step, loop.index, sign], words)) -%}
    {%- endfor -%}
{%- endfor %}

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
        cast(lines.sign * coalesce(amounts.amount, 0) as decimal(18, 2)) as amount
    from (
        values
        {%- for numbers, words in lines %}
        ({{ numbers | join(', ') }}, '{{ words | join("', '") }}') {%- if not loop.last %},{% endif %}
        {%- endfor %}
    ) as lines (step, line, sign, flow, unit, from_relation, to_relation, kind, entry, relation, measure)
    left join amounts on lines.relation = amounts.relation and lines.measure = amounts.measure
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
