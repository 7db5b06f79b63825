// The figures of a service in groups of pairs; a part that it does not tell is a dash.

import { make, milliseconds, number, percent } from "./elements.js";

const SIDES = { closed: "yes", half_open: "one try" };
const MOODS = { ok: "good", degraded: "warn", fallback: "warn", failing: "bad", unreachable: "bad" };
const yes = (value) => (typeof value === "boolean" ? (value ? "yes" : "no") : "–");
const text = (value) => (value === null || value === undefined || value === "" ? "–" : String(value));
const megabytes = (value) => (typeof value === "number" ? `${number(value)} MB` : "–");
const dollars = (value) => `$${number(value, value > 0 && value < 1 ? 4 : 2)}`;
const spent = (cost) => (typeof cost?.daily_spent_usd === "number" ? `${dollars(cost.daily_spent_usd)} of ${dollars(cost.daily_budget_usd)}` : "–");

/** What happens over all endpoints: requests and errors a second and in all, as far as told. */
export function totals(metrics) {
  const all = Object.values(metrics?.endpoints ?? {});
  const sum = (field) => {
    const told = all.map((one) => one?.[field]).filter((value) => typeof value === "number");
    return told.length ? told.reduce((total, value) => total + value, 0) : null;
  };
  const [count, errors] = [sum("count"), sum("errors")];
  return { count, errors, rate: count ? errors / count : null, perSecond: sum("per_second") };
}

/** Hits of all caches together, as a share; null where nothing was asked. */
export function hitRate(metrics) {
  const all = Object.values(metrics?.cache ?? {}).filter(Boolean);
  const hits = all.reduce((sum, one) => sum + (one.hits ?? 0), 0);
  const asked = hits + all.reduce((sum, one) => sum + (one.misses ?? 0), 0);
  return asked ? hits / asked : null;
}

/** The tiles at the head of the page. */
export function tiles(metrics, health, endpoint) {
  const latency = metrics?.endpoints?.[endpoint];
  const total = totals(metrics);
  const shown = [
    ["Requests a second", number(total.perSecond, 1)],
    ["Median", milliseconds(latency?.p50_ms)],
    ["95 % within", milliseconds(latency?.p95_ms)],
    ["Errors", percent(total.rate), total.rate > 0.01 ? "bad" : null],
    ["Cache hits", percent(hitRate(metrics))],
    ["Guard refused", percent(metrics?.guardrails_metrics?.blocked_rate ?? health?.components?.guard?.blocked_rate)],
    ["First answer right", percent(metrics?.online?.hit_at_1)],
    ["Memory", megabytes(health?.memory_usage_mb)],
  ];
  return shown.map(([name, value, mood]) => make("div", {}, make("dt", {}, name), make("dd", { "data-mood": mood }, value)));
}

/** The table of endpoints. */
export function endpointTable(metrics) {
  const heads = ["Endpoint", "Requests", "Errors", "p50", "p95", "p99", "A second"];
  const head = make("tr", {}, ...heads.map((title, place) => make("th", { scope: "col", class: place ? "number" : null }, title)));
  const cell = (value) => make("td", { class: "number" }, value);
  const rows = Object.entries(metrics?.endpoints ?? {})
    .sort(([, one], [, other]) => (other?.count ?? 0) - (one?.count ?? 0))
    .map(([name, one]) =>
      make("tr", {}, make("th", { scope: "row" }, name), cell(number(one?.count)), cell(number(one?.errors)),
        ...["p50_ms", "p95_ms", "p99_ms"].map((field) => cell(milliseconds(one?.[field]))), cell(number(one?.per_second, 2))));
  const none = make("tr", {}, make("td", { colspan: String(heads.length) }, metrics ? "No request yet." : "Not told."));
  return [make("thead", {}, head), make("tbody", {}, ...(rows.length ? rows : [none]))];
}

/** The groups below: [title, state or null, [[name, value], ...]]. */
export function groups(metrics, health) {
  const { ranker = {}, catalog = {}, embedder = {}, guard = {}, access, database, cache: keeps } = health?.components ?? {};
  const outside = health?.components?.outside ?? [];
  const counted = metrics?.guardrails_metrics ?? {};
  const cold = metrics?.cold_start_metrics ?? {};
  const caches = Object.entries(metrics?.cache ?? {});
  return [
    ["Model", ranker.status, [
      ["Version", text(ranker.model_version)],
      ["Trained", ranker.trained_at ? text(ranker.trained_at).slice(0, 10) : yes(metrics?.ml_layer?.is_trained)],
      ["On this catalogue", yes(ranker.trained_on_this_catalog)],
      ["NDCG in validation", number(metrics?.ml_layer?.validation_ndcg, 3)],
      ["Encoder", text(embedder.name)],
      ["Why none answers", text(ranker.reason)],
    ]],
    ["Catalogue", catalog.status, [
      ["Name", text(catalog.name)],
      ["Operations", number(catalog.operations)],
      ["Services", number(catalog.services)],
    ]],
    ["Answers, as people judged", null, [
      ["First one right", percent(metrics?.online?.hit_at_1)],
      ["Judged", number(metrics?.online?.answers)],
      ["Cold starts", number(cold.total_cold_start_predictions)],
      ["Of them sure", percent(cold.cold_start_success_rate)],
      ["Their mean confidence", percent(cold.average_cold_start_confidence)],
    ]],
    ["Cache", keeps?.status ?? null, [["Answers are kept in", text(keeps?.answers)], ...(caches.length
      ? caches.flatMap(([name, one]) => [
          [name, `${percent(one?.hit_rate)} of ${number((one?.hits ?? 0) + (one?.misses ?? 0))}`],
          [`${name}, kept`, `${number(one?.entries)} · ${typeof one?.megabytes === "number" ? `${number(one.megabytes, 1)} MB` : "–"}`],
        ])
      : [["Hits", "–"]])]],
    ["Guard", guard.status, [
      ["Checked", number(counted.total_validations ?? guard.total)],
      ["Refused", number(counted.blocked_requests ?? guard.blocked)],
      ["Broken rules", number(counted.security_violations)],
      ["Broken rules a request", number(counted.security_violation_rate ?? guard.violation_rate, 3)],
      ["Answers left out", number(guard.blocked_predictions)],
      ["Checks that fail", guard.failing ? guard.failing.join(", ") || "none" : "–"],
    ]],
    ["Limits and keys", access?.status ?? null, [
      ["Environment", text(access?.environment)],
      ["Requests are counted in", access?.limits === "off" ? "nothing: no limits" : text(access?.limits)],
      ["Keys are known", yes(access?.keys_known)],
    ]],
    ["Database and cost", database?.status ?? null, [
      ["Kind", text(database?.backend)],
      ["A/B tests running", number(database?.running_tests)],
      ["Language models cost today", spent(metrics?.cost)],
      ["Their answers today", number(metrics?.cost?.predictions_today)],
      ...outside.map(({ side, status, retry_after: wait }) => [`Asked: ${side}`, SIDES[status] ?? `left alone for ${number(wait, 0)} s`]),
    ]],
  ];
}

/** Make the element of a group. */
export function groupCard([title, state, pairs]) {
  const badge = state ? make("span", { class: "state", "data-mood": MOODS[state] ?? null }, state) : null;
  return make("section", { class: "group card" }, make("h2", {}, title, badge),
    make("dl", { class: "pairs" }, ...pairs.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)))));
}
