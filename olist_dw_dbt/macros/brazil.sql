{#- The one home of what a state's region is and what lies in Brazil. -#}

{% macro state_regions() -%}
    {{ return({
        'Norte': ['AC', 'AM', 'AP', 'PA', 'RO', 'RR', 'TO'],
        'Nordeste': ['AL', 'BA', 'CE', 'MA', 'PB', 'PE', 'PI', 'RN', 'SE'],
        'Centro-Oeste': ['DF', 'GO', 'MS', 'MT'],
        'Sudeste': ['ES', 'MG', 'RJ', 'SP'],
        'Sul': ['PR', 'RS', 'SC'],
    }) }}
{%- endmacro %}

{% macro region_of_state(state) -%}
    case
        {%- for region, states in state_regions().items() %}
        when {{ state }} in ('{{ states | join("', '") }}') then '{{ region }}'
        {%- endfor %}
        else 'unknown'
    end
{%- endmacro %}

{#- The box around the country, islands included (the rule point_is_in_brazil of config/sources.yml). -#}
{% macro is_in_brazil(latitude, longitude) -%}
    ({{ latitude }} between -34 and 6 and {{ longitude }} between -74 and -28)
{%- endmacro %}
