"use strict";
/* The page: the rows of the marts, added up for the chosen months and state, as cards, charts and tables. */
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const rows = data.figures;
  const $ = (id) => document.getElementById(id);
  const sum = (list, name) => list.reduce((total, row) => total + (row[name] ?? 0), 0);
  const ratio = (part, whole) => (whole ? part / whole : null);
  const grouped = (list, key) => {
    const groups = new Map();
    for (const row of list) groups.set(key(row), [...(groups.get(key(row)) ?? []), row]);
    return groups;
  };

  const FORMATS = {
    count: (v) => v.toLocaleString("en-US", { maximumFractionDigits: 0 }),
    reais: (v) => "R$ " + v.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 }),
    share: (v) => (100 * v).toFixed(1) + " %",
    score: (v) => v.toFixed(2),
    days: (v) => v.toFixed(1),
    text: (v) => String(v),
  };
  const shown = (unit, value) => (value === null || value === undefined ? "–" : FORMATS[unit](value));

  /* --- what is chosen --- */

  const chosen = { from: null, to: null, state: "" };
  const inPeriod = (month) => month >= chosen.from && month <= chosen.to;
  const ofState = (row) => !chosen.state || row.state === chosen.state;
  const selected = () => rows.state_months.filter((row) => inPeriod(row.month) && ofState(row));
  const months = rows.months.map((row) => row.month);
  const isComplete = new Map(rows.months.map((row) => [row.month, row.is_complete]));

  /* --- KPIs: sums of mart_executive_state_monthly, and their ratios as mart_executive_monthly defines them --- */

  const KPIS = [
    ["order_count", "Orders", "count", 1, (r) => sum(r, "order_count")],
    ["gmv", "GMV", "reais", 1, (r) => sum(r, "gmv_cents") / 100],
    ["avg_order_value", "Average order value", "reais", 1, (r) => ratio(sum(r, "gmv_cents") / 100, sum(r, "orders_with_items"))],
    ["new_customers", "New customers", "count", 1, (r) => sum(r, "new_customers")],
    ["on_time_share", "On time", "share", 1, (r) => ratio(sum(r, "arrived_orders") - sum(r, "late_orders"), sum(r, "arrived_orders"))],
    ["avg_review_score", "Review score", "score", 1, (r) => ratio(sum(r, "review_score_sum"), sum(r, "reviewed_orders"))],
    ["cancellation_share", "Cancelled", "share", -1, (r) => ratio(sum(r, "canceled_orders"), sum(r, "order_count"))],
    ["freight_share", "Freight in GMV", "share", -1, (r) => ratio(sum(r, "freight_cents"), sum(r, "gmv_cents"))],
  ];

  function changeOf(unit, measure, list) {
    const complete = months.filter((month) => inPeriod(month) && isComplete.get(month));
    const last = complete.at(-1);
    const before = months[months.indexOf(last) - 1];
    if (!last || !isComplete.get(before)) return null;
    const [now, then] = [last, before].map((month) =>
      measure(rows.state_months.filter((row) => row.month === month && ofState(row))));
    if (now === null || then === null) return null;
    const amount = unit === "share" ? 100 * (now - then) : unit === "score" ? now - then : then ? 100 * (now / then - 1) : null;
    if (amount === null) return null;
    const text = { share: " pp", score: "" }[unit] ?? " %";
    return { amount, words: `${amount >= 0 ? "+" : "−"}${Math.abs(amount).toFixed(unit === "score" ? 2 : 1)}${text} in ${last}` };
  }

  function drawKpis() {
    const list = selected();
    $("kpis").replaceChildren(...KPIS.map(([name, label, unit, better, measure]) => {
      const value = measure(list);
      const change = changeOf(unit, measure, list);
      const card = element("div", { class: "kpi" });
      card.append(
        element("div", { class: "label" }, label),
        element("div", { class: "value", "data-kpi": name, "data-value": value ?? "" }, shown(unit, value)),
        element("div", { class: "change " + (change && change.amount * better >= 0 ? "good" : "bad") }, change ? change.words : " "),
      );
      const details = element("details");
      details.append(element("summary", {}, "Definition"), element("p", {}, data.definitions[name] || name));
      card.append(details);
      return card;
    }));
  }

  /* --- figures: a title with its unit, a chart, a table with the same numbers, its mart --- */

  function element(tag, attributes = {}, text) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function table(title, columns, list) {
    const scroll = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title });
    const made = element("table");
    const head = element("tr");
    for (const [, label, unit] of columns) head.append(element("th", { scope: "col", class: unit === "text" ? "" : "number" }, label));
    made.append(element("thead"));
    made.tHead.append(head);
    const body = element("tbody");
    for (const row of list) {
      const line = element("tr");
      for (const [name, , unit] of columns) line.append(element("td", { class: unit === "text" ? "" : "number" }, shown(unit, row[name])));
      body.append(line);
    }
    made.append(body);
    scroll.append(made);
    return scroll;
  }

  function css(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

  function config() {
    const [text, soft, line] = ["--text", "--soft", "--line"].map(css);
    return {
      background: null, font: "system-ui, Segoe UI, Roboto, Arial, sans-serif",
      view: { stroke: null },
      axis: { labelColor: soft, titleColor: soft, gridColor: line, domainColor: line, tickColor: line, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" },
      legend: { labelColor: text, titleColor: soft, labelFontSize: 12, titleFontSize: 12, orient: "top" },
      text: { color: text },
    };
  }

  const pending = new Map();

  function figure(section, id, { title, unit, applies, mart, columns, list, spec, wide, note }) {
    let made = document.getElementById("figure-" + id);
    if (!made) {
      made = element("figure", { id: "figure-" + id, class: wide ? "wide" : "" });
      $(section).append(made);
    }
    const caption = element("figcaption");
    caption.append(element("h3", {}, title), element("p", { class: "unit" }, [unit, applies].filter(Boolean).join(" · ")));
    const parts = [caption];
    const chart = element("div", { class: "chart" });
    if (!list.length) parts.push(element("p", { class: "empty" }, "Nothing in this selection."));
    else if (spec) parts.push(chart);
    if (note) parts.push(element("p", { class: "unit" }, note));
    if (list.length && spec) {
      const details = element("details");
      details.append(element("summary", {}, "The same as a table"), table(title, columns, list));
      parts.push(details);
    } else if (list.length) parts.push(table(title, columns, list));
    const source = element("p", { class: "source" });
    source.append(element("b", {}, mart));
    if (data.marts[mart]) source.append(" — " + data.marts[mart]);
    parts.push(source);
    made.replaceChildren(...parts);
    if (!list.length || !spec) return;
    const full = {
      $schema: "https://vega.github.io/schema/vega-lite/v6.json", description: `${title}, ${unit}`,
      width: "container", height: 260, autosize: { type: "fit-x", contains: "padding" }, data: { values: list }, config: config(), ...spec(),
    };
    pending.get(id)?.finalize();
    vegaEmbed(chart, full, { actions: false, renderer: "svg", tooltip: { theme: "custom" } })
      .then((view) => { pending.set(id, view); })
      .catch((error) => { chart.replaceChildren(element("p", { class: "empty" }, "This chart failed: " + error)); console.error(error); });
  }

  const tip = (columns) => columns.map(([name, label, unit]) =>
    ({ field: name, title: label, ...({ reais: { format: ",.2f" }, share: { format: ".1%" }, score: { format: ".2f" }, count: { format: ",d" }, days: { format: ".1f" } }[unit] ?? {}) }));
  const monthAxis = { field: "month", type: "ordinal", title: null, axis: { labelAngle: 0, labelOverlap: "greedy", labelSeparation: 12 } };
  const where = () => (chosen.state ? "customers of " + chosen.state : "all states");
  const period = () => `${chosen.from} to ${chosen.to}`;

  function drawExecutive() {
    const list = [...grouped(selected(), (row) => row.month)].map(([month, group]) => ({
      month, gmv: sum(group, "gmv_cents") / 100, orders: sum(group, "order_count"),
      complete: isComplete.get(month) ? "complete" : "incomplete",
      score: ratio(sum(group, "review_score_sum"), sum(group, "reviewed_orders")),
      new_customers: sum(group, "new_customers"),
    })).sort((a, b) => a.month.localeCompare(b.month));
    const columns = [["month", "Month", "text"], ["gmv", "GMV, R$", "reais"], ["orders", "Orders", "count"], ["new_customers", "New customers", "count"], ["score", "Review score", "score"], ["complete", "Month is", "text"]];
    const bars = (field, title, unit, color) => () => ({
      mark: { type: "bar", cornerRadiusEnd: 2 },
      encoding: {
        x: monthAxis, y: { field, type: "quantitative", title, axis: { format: "~s", tickCount: 5 } },
        color: { field: "complete", type: "nominal", title: "the month is", scale: { domain: ["complete", "incomplete"], range: [css(color), css("--muted-bar")] } },
        tooltip: tip(columns.filter(([name]) => ["month", field, "complete"].includes(name))),
      },
    });
    const shared = { applies: `${where()} · ${period()}`, mart: "mart.mart_executive_state_monthly", columns, list };
    figure("executive", "gmv", { ...shared, title: "GMV by month", unit: "R$, price plus freight of all orders", spec: bars("gmv", "R$", "reais", "--accent") });
    figure("executive", "orders", { ...shared, title: "Orders by month", unit: "orders of every status", spec: bars("orders", "orders", "count", "--accent-2") });
  }

  /* Where the states lie, in columns and lines: a map on which every state can be read, whatever its size. */
  const TILES = {
    RR: [1, 0], AP: [3, 0], AM: [1, 1], PA: [3, 1], MA: [4, 1], CE: [5, 1], RN: [6, 1], AC: [0, 2], RO: [1, 2], MT: [2, 2],
    TO: [3, 2], PI: [4, 2], PE: [5, 2], PB: [6, 2], MS: [2, 3], GO: [3, 3], BA: [4, 3], SE: [5, 3], AL: [6, 3], DF: [3, 4],
    MG: [4, 4], ES: [5, 4], SP: [3, 5], RJ: [4, 5], PR: [3, 6], SC: [3, 7], RS: [3, 8],
  };

  function drawGeography() {
    const about = new Map(rows.states.map((row) => [row.state, row]));
    const all = rows.state_months.filter((row) => inPeriod(row.month));
    const total = sum(all, "gmv_cents");
    const list = [...grouped(all, (row) => row.state)].map(([state, group]) => ({
      state, region: about.get(state)?.region ?? "unknown", gmv: sum(group, "gmv_cents") / 100, share: ratio(sum(group, "gmv_cents"), total),
      orders: sum(group, "order_count"), aov: ratio(sum(group, "gmv_cents") / 100, sum(group, "orders_with_items")),
      late: ratio(sum(group, "late_orders"), sum(group, "arrived_orders")), sellers: about.get(state)?.active_sellers ?? null,
      column: TILES[state]?.[0], line: TILES[state]?.[1], picked: state === chosen.state,
    })).sort((a, b) => b.gmv - a.gmv);
    const columns = [["state", "State", "text"], ["region", "Region", "text"], ["gmv", "GMV, R$", "reais"], ["share", "Share", "share"], ["orders", "Orders", "count"], ["aov", "Average order value, R$", "reais"], ["late", "Late", "share"], ["sellers", "Active sellers (all time)", "count"]];
    const tiles = (field, scaleTitle, format) => () => ({
      height: 380, transform: [{ filter: "isValid(datum.column)" }],
      encoding: { x: { field: "column", type: "ordinal", axis: null, scale: { domain: [0, 1, 2, 3, 4, 5, 6] } }, y: { field: "line", type: "ordinal", axis: null } },
      layer: [
        { mark: { type: "rect", cornerRadius: 4, strokeWidth: 3 },
          encoding: {
            color: { field, type: "quantitative", title: scaleTitle, scale: { type: "sqrt", range: [css("--ramp-low"), css("--ramp-high")] }, legend: { format, gradientLength: 180 } },
            stroke: { condition: { test: "datum.picked", value: css("--accent-2") }, value: css("--surface") }, tooltip: tip(columns),
          } },
        { mark: { type: "text", fontSize: 13, fontWeight: 600 },
          encoding: { text: { field: "state" }, tooltip: tip(columns), color: { condition: { test: `datum['${field}'] > 0.3 * ${Math.max(...list.map((row) => row[field] ?? 0))}`, value: css("--surface") }, value: css("--text") } } },
      ],
    });
    const shared = { applies: `customers of each state · ${period()}`, mart: "mart.mart_executive_state_monthly", columns, list };
    figure("geography", "map-gmv", { ...shared, title: "GMV by state", unit: "R$, on tiles laid out like Brazil", spec: tiles("gmv", "GMV, R$", "~s") });
    figure("geography", "map-late", { ...shared, title: "Late arrivals by state", unit: "share of the orders that arrived", spec: tiles("late", "Late", ".0%") });
  }

  function drawDelivery() {
    const late = [...grouped(selected(), (row) => row.month)].map(([month, group]) => ({
      month, late: ratio(sum(group, "late_orders"), sum(group, "arrived_orders")), arrived: sum(group, "arrived_orders"), late_orders: sum(group, "late_orders"),
    })).filter((row) => row.late !== null).sort((a, b) => a.month.localeCompare(b.month));
    const lateColumns = [["month", "Month", "text"], ["late", "Late", "share"], ["late_orders", "Late orders", "count"], ["arrived", "Arrived orders", "count"]];
    figure("delivery", "late", {
      title: "Late arrivals by month of purchase", unit: "share of the orders that arrived after the estimated date", applies: `${where()} · ${period()}`,
      mart: "mart.mart_executive_state_monthly", columns: lateColumns, list: late,
      spec: () => ({ mark: { type: "line", point: { color: css("--accent-2") }, color: css("--accent-2"), strokeWidth: 2 }, encoding: { x: monthAxis, y: { field: "late", type: "quantitative", title: "late", axis: { format: ".0%" } }, tooltip: tip(lateColumns) } }),
    });
    const stages = rows.delivery.filter((row) => inPeriod(row.month) && row.state === (chosen.state || "all"));
    const columns = [["month", "Month", "text"], ["approve", "To approve", "days"], ["handle", "To hand over", "days"], ["transit", "In transit", "days"], ["deliver", "Purchase to door", "days"], ["deliver_p90", "Purchase to door, 9 of 10", "days"]];
    const names = { approve: "to approve", handle: "to hand over", transit: "in transit", deliver: "purchase to door" };
    figure("delivery", "stages", {
      title: "Days of each stage", unit: "median days, by month of purchase", applies: `${where()} · ${period()}`, mart: "mart.mart_delivery_metrics", columns, list: stages,
      spec: () => ({
        transform: [{ fold: Object.keys(names), as: ["stage", "days"] }, { filter: "isValid(datum.days)" }, { calculate: `${JSON.stringify(names)}[datum.stage]`, as: "name" }],
        mark: { type: "line", point: true, strokeWidth: 2 },
        encoding: {
          x: monthAxis, y: { field: "days", type: "quantitative", title: "days" },
          color: { field: "name", type: "nominal", title: null, scale: { domain: Object.values(names), range: [css("--soft"), css("--good"), css("--accent-2"), css("--accent")] } },
          tooltip: [{ field: "month", title: "Month" }, { field: "name", title: "Stage" }, { field: "days", title: "Days", format: ".1f" }],
        },
      }),
    });
  }

  function drawCustomers() {
    const cohorts = rows.cohorts.filter((row) => inPeriod(row.cohort));
    const columns = [["cohort", "First order in", "text"], ["age", "Months later", "count"], ["cohort_size", "Customers", "count"], ["active_customers", "Ordered again in that month", "count"], ["retention_share", "Retention", "share"]];
    figure("customers", "cohorts", {
      title: "Retention by cohort", unit: "share of the month's new customers who order in the nth month after", applies: `all states · cohorts of ${period()}`,
      mart: "mart.mart_cohort_analysis", columns, list: cohorts, wide: true,
      spec: () => ({
        height: 22 * new Set(cohorts.map((row) => row.cohort)).size,
        encoding: { x: { field: "age", type: "ordinal", title: "months after the first order", axis: { labelAngle: 0, orient: "top" } }, y: { field: "cohort", type: "ordinal", title: null } },
        layer: [
          { mark: { type: "rect" }, encoding: { color: { field: "retention_share", type: "quantitative", title: "retention", scale: { type: "sqrt", range: [css("--ramp-low"), css("--ramp-high")] }, legend: { format: ".1%" } }, tooltip: tip(columns) } },
          { mark: { type: "text", fontSize: 11 }, encoding: { text: { field: "retention_share", format: ".1%" }, tooltip: tip(columns), color: { condition: { test: `datum.retention_share > 0.3 * ${Math.max(...cohorts.map((row) => row.retention_share ?? 0))}`, value: css("--surface") }, value: css("--text") } } },
        ],
      }),
    });
    const order = ["champion", "loyal", "promising", "recent", "needs_attention", "at_risk", "lapsed_high_value", "lapsed", "no_delivered_order"];
    const list = [...grouped(rows.segments.filter(ofState), (row) => row.segment)].map(([segment, group]) => ({
      segment, customers: sum(group, "customers"), value: sum(group, "value_cents") / 100, each: ratio(sum(group, "value_cents") / 100, sum(group, "customers")),
    })).sort((a, b) => order.indexOf(a.segment) - order.indexOf(b.segment));
    const segmentColumns = [["segment", "Segment", "text"], ["customers", "Customers", "count"], ["value", "Lifetime value, R$", "reais"], ["each", "R$ each", "reais"]];
    const bars = (field, title, color) => () => ({
      height: 26 * list.length, mark: { type: "bar", color: css(color), cornerRadiusEnd: 2 },
      encoding: { y: { field: "segment", type: "nominal", sort: order, title: null, axis: { labelLimit: 200 } }, x: { field, type: "quantitative", title, axis: { format: "~s", tickCount: 6 } }, tooltip: tip(segmentColumns) },
    });
    const shared = { applies: `${where()} · all time`, mart: "mart.mart_customer_analytics", columns: segmentColumns, list };
    figure("customers", "segments", { ...shared, title: "Customers by RFM segment", unit: "customers; recency, frequency and monetary value in fifths", spec: bars("customers", "customers", "--accent") });
    figure("customers", "value", { ...shared, title: "Lifetime value by RFM segment", unit: "R$ of delivered orders", spec: bars("value", "R$", "--accent-2") });
  }

  function drawProducts() {
    const list = rows.categories.map((row) => ({ ...row, revenue: row.revenue_cents / 100 }));
    const columns = [["category", "Category", "text"], ["revenue", "Revenue, R$", "reais"], ["items_sold", "Items sold", "count"], ["products", "Products", "count"], ["class_a_products", "Products of class A", "count"]];
    figure("products", "categories", {
      title: "Revenue by category", unit: `R$, price alone; the first 20 of ${list.length} categories`, applies: "all states · all time", mart: "mart.mart_product_performance", columns, list, wide: true,
      note: "Class A: the products that make the first 80 % of their category's revenue.",
      spec: () => ({
        transform: [{ window: [{ op: "row_number", as: "rank" }], sort: [{ field: "revenue", order: "descending" }] }, { filter: "datum.rank <= 20" }],
        height: 20 * Math.min(20, list.length), mark: { type: "bar", color: css("--accent"), cornerRadiusEnd: 2 },
        encoding: { y: { field: "category", type: "nominal", sort: "-x", title: null, axis: { labelLimit: 240 } }, x: { field: "revenue", type: "quantitative", title: "R$", axis: { format: "~s" } }, tooltip: tip(columns) },
      }),
    });
  }

  function drawSellers() {
    const tiers = ["gold", "silver", "bronze", "watch", "unrated"];
    const list = [...grouped(rows.tiers.filter(ofState), (row) => row.tier)].map(([tier, group]) => ({ tier, sellers: sum(group, "sellers"), gmv: sum(group, "gmv_cents") / 100 }))
      .sort((a, b) => tiers.indexOf(a.tier) - tiers.indexOf(b.tier));
    const columns = [["tier", "Tier", "text"], ["sellers", "Sellers", "count"], ["gmv", "GMV, R$", "reais"]];
    const place = chosen.state ? "sellers in " + chosen.state : "all states";
    const bars = (field, title, color, format) => () => ({
      height: 34 * list.length, mark: { type: "bar", color: css(color), cornerRadiusEnd: 2 },
      encoding: { y: { field: "tier", type: "nominal", sort: tiers, title: null }, x: { field, type: "quantitative", title, axis: { format, tickCount: 6 } }, tooltip: tip(columns) },
    });
    figure("sellers", "tiers", {
      title: "Sellers by tier", unit: "sellers with sales", applies: `${place} · all time`, mart: "mart.mart_seller_scorecard", columns, list,
      spec: bars("sellers", "sellers", "--accent", ",d"),
    });
    figure("sellers", "tier-gmv", {
      title: "GMV by tier", unit: "R$, price plus freight of all their orders", applies: `${place} · all time`, mart: "mart.mart_seller_scorecard", columns, list,
      spec: bars("gmv", "R$", "--accent-2", "~s"),
    });
    const top = rows.sellers.filter(ofState).slice(0, 15).map((row) => ({ ...row, gmv: row.gmv_cents / 100, short: row.seller.slice(0, 8) }));
    figure("sellers", "top", {
      title: "The largest sellers", unit: "by GMV, with their score of 0 to 100", applies: `${place} · all time`, mart: "mart.mart_seller_scorecard", list: top, wide: true,
      columns: [["short", "Seller", "text"], ["city", "City", "text"], ["state", "State", "text"], ["gmv", "GMV, R$", "reais"], ["order_count", "Orders", "count"], ["score", "Score", "days"], ["tier", "Tier", "text"], ["on_time_share", "On time", "share"], ["avg_review_score", "Review", "score"], ["cancellation_share", "Cancelled", "share"]],
    });
  }

  function drawQuality() {
    const flows = data.reconciliation.map((flow) => ({ flow: flow.flow + (flow.unit === "reais" ? ", R$" : ""), ...flow.amounts, unexplained: flow.unexplained,
      why: flow.reasons.map((reason) => `${reason.amount.toLocaleString("en-US")} ${reason.reason}`).join("; ") }));
    figure("quality", "account", { title: "From file to mart", unit: "rows, or R$, in each layer", applies: "all that is loaded", mart: "quality.dq_reconciliation", list: flows, wide: true,
      columns: [["flow", "What", "text"], ["files", "Files", "score"], ["raw", "Raw", "score"], ["staging", "Staging", "score"], ["core", "Core", "score"], ["mart", "Mart", "score"], ["why", "Differences", "text"], ["unexplained", "Unexplained", "score"]]
        .map(([name, label, unit]) => [name, label, unit === "score" ? "amount" : unit]) });
    figure("quality", "rules", { title: "Rules and references", unit: "rows that break them", applies: "all that is loaded", mart: "quality.dq_rules", wide: true,
      list: rows.rules.map((row) => ({ ...row, drift: row.is_drift ? "more than known" : "as known" })),
      columns: [["description", "Rule", "text"], ["violation_count", "Rows", "count"], ["row_count", "Of", "count"], ["drift", "Status", "text"], ["severity", "Severity", "text"], ["owner", "Owner", "text"]] });
    figure("quality", "anomalies", { title: "Unlike the days and files before", unit: "anomalies", applies: "all that is loaded", mart: "quality.dq_anomalies",
      list: rows.anomalies.map((row) => ({ ...row, when: row.is_new ? "latest load" : "earlier" })), columns: [["message", "What", "text"], ["when", "Seen in", "text"]] });
    figure("quality", "sources", { title: "Freshness", unit: "files and rows loaded, UTC", applies: "", mart: "etl.source_files", list: rows.sources,
      columns: [["source", "Source", "text"], ["files", "Files", "count"], ["rows", "Rows", "count"], ["loaded_at", "Last loaded", "text"]] });
  }
  FORMATS.amount = (v) => v.toLocaleString("en-US", { maximumFractionDigits: 2 });

  /* --- filters and theme --- */

  function fill(select, list, value) {
    select.replaceChildren(...list.map(([key, label]) => element("option", { value: key }, label)));
    select.value = value;
  }

  function draw() {
    $("shown").textContent = `Showing ${period()}, ${where()}.`;
    for (const step of [drawKpis, drawExecutive, drawGeography, drawDelivery, drawCustomers, drawProducts, drawSellers, drawQuality]) step();
  }

  function choose() {
    chosen.from = $("from").value;
    chosen.to = $("to").value < chosen.from ? chosen.from : $("to").value;
    $("to").value = chosen.to;
    chosen.state = $("state").value;
    draw();
  }

  function reset() {
    fill($("from"), months.map((month) => [month, month]), months[0]);
    fill($("to"), months.map((month) => [month, month]), months.at(-1));
    const states = [...new Set(rows.state_months.map((row) => row.state))].sort();
    fill($("state"), [["", "all"], ...states.map((state) => [state, state])], "");
    choose();
  }

  function dress(theme) {
    document.documentElement.dataset.theme = theme;
    $("theme").textContent = theme === "dark" ? "Light" : "Dark";
    $("theme").setAttribute("aria-pressed", String(theme === "dark"));
  }

  $("freshness").textContent = `Last complete month ${data.month} · newest order ${data.newest_order ?? "–"} · models built ${data.built_at ?? "–"} · page made ${data.made_at}`;
  $("colophon").textContent = `Made by olistctl ${data.olistctl}. Amounts in Brazilian reais. A change is that of the last complete month chosen against the month before.`;
  dress(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  $("theme").addEventListener("click", () => { dress(document.documentElement.dataset.theme === "dark" ? "light" : "dark"); draw(); });
  for (const id of ["from", "to", "state"]) $(id).addEventListener("change", choose);
  $("filters").addEventListener("reset", (event) => { event.preventDefault(); reset(); });
  reset();
})();
