{#- Slowly changing dimensions of type 2: everything about versions and their windows. -#}

{#- When the first version of every member starts: before any event, so that history finds its member. -#}
{% macro first_version_from() -%}
    cast('1900-01-01' as timestamp)
{%- endmacro %}

{#-
    The versions of a snapshot, one row each, in an incremental run of the members that `affected` lists, with
      version_key     md5 of the natural key and effective_from
      effective_from  1900-01-01 for a member's first version, else when the change was seen
      effective_to    exclusive end: where the next version starts, so that a member which was gone for a while
                      leaves no gap; of the last one when the member was seen to be gone, or NULL
      is_current      the version in force
      created_at      _loaded_at of the record that opened the member's first version
      updated_at      _loaded_at of the record that opened this version
-#}
{% macro scd_type_2(snapshot, natural_key, affected) -%}
    select
        windowed.*,
        {{ generate_surrogate_key(['windowed.' ~ natural_key, 'windowed.effective_from']) }} as version_key
    from (
        select
            versions.*,
            case
                when row_number() over (partition by {{ natural_key }} order by dbt_valid_from) = 1
                    then {{ first_version_from() }}
                else dbt_valid_from
            end as effective_from,
            coalesce(
                lead(dbt_valid_from) over (partition by {{ natural_key }} order by dbt_valid_from), dbt_valid_to
            ) as effective_to,
            dbt_valid_to is null as is_current,
            first_value(_loaded_at) over (partition by {{ natural_key }} order by dbt_valid_from) as created_at,
            _loaded_at as updated_at
        from {{ snapshot }} as versions
        {{ only_affected(affected, natural_key) }}
    ) as windowed
{%- endmacro %}

{#-
    The current versions of members that staging lacks because their record is bad and nobody has decided about it: for
    the history such a member is not gone. To be added to what a snapshot selects.
-#}
{% macro undecided_members(source_name, natural_key, staging, attributes) -%}
    {%- set quarantine = source('etl', 'quarantine') -%}
    {%- if execute and load_relation(this) is not none and load_relation(quarantine) is not none %}
union all

select
    {{ natural_key }},
    {{ attributes | join(', ') }},
    _loaded_at
from {{ this }}
where
    dbt_valid_to is null
    and {{ natural_key }} in (
        select {{ clean_text(key_value('key', natural_key)) }}
        from {{ quarantine }}
        where source = '{{ source_name }}' and is_present and status = 'open'
    )
    and {{ natural_key }} not in (select {{ natural_key }} from {{ staging }} where {{ natural_key }} is not null)
    {%- endif %}
{%- endmacro %}

{#- Join condition: the version of `dimension` that was in force at `event_at`. -#}
{% macro version_in_force(dimension, event_at) -%}
    {{ event_at }} >= {{ dimension }}.effective_from
    and ({{ dimension }}.effective_to is null or {{ event_at }} < {{ dimension }}.effective_to)
{%- endmacro %}

{#- One instant for all versions a run opens: its start, in UTC, on every engine (dbt's own is the clock of the
    session's zone, read once a snapshot). -#}
{% macro default__snapshot_get_time() -%}
    cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}' as timestamp)
{%- endmacro %}

{% macro duckdb__snapshot_get_time() -%}
    {{ default__snapshot_get_time() }}
{%- endmacro %}
