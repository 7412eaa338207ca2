{#- What olistctl asks before it builds incremental models as dbt has compiled them (extent_of_replacement). -#}
{{ unknown_changes() }}
