// The dashboard: asks the service again and again, and shows how it is.

import { byId, make, milliseconds, number, percent } from "./elements.js";
import { endpointTable, groupCard, groups, hitRate, tiles, totals } from "./figures.js";
import { KeyField } from "./key.js";
import { Notice } from "./notice.js";
import { clock, Plot } from "./plot.js";
import { Series } from "./series.js";
import { AwayError, send } from "./service.js";
import { inWords, span, waitOf } from "./words.js";

const EACH = 2; // seconds
const HIDDEN = 10; // while nobody looks

const SAID = 10_000; // milliseconds that it is said that the service is back
const short = (value) => String(Number(value.toPrecision(3)));

const notice = new Notice(byId("notice"));
const series = new Series();
const latency = new Plot("Latency", ["p50", "p95", "p99"], { write: milliseconds, axis: (value) => (value >= 1000 ? `${short(value / 1000)} s` : `${short(value)} ms`) });
const throughput = new Plot("Requests a second", ["this endpoint", "all"], { write: (value) => number(value, 1), axis: short });
const errors = new Plot("Errors, of all requests", ["since the poll before"], { write: percent, axis: (value) => `${short(100 * value)} %`, least: 0.01 });
const cache = new Plot("Cache hits, of all look-ups", ["all caches"], { write: percent, axis: (value) => `${short(100 * value)} %` });
const keyField = new KeyField(() => {
  refused = null;
  say("", null);
  poll();
});

let refused = null; // the status for which the metrics are not asked again
let awaySince = null;
let backAt = 0;
let polling = false;
let told = ""; // what the notice says, so that it is said once
let held = false;
let next = null;
let before = null; // the totals of the poll before
let last = { metrics: null, health: null };

byId("plots").append(...[latency, throughput, errors, cache].map((plot) => plot.figure));
byId("endpoint").addEventListener("change", render);
byId("hold").addEventListener("click", () => {
  held = !held;
  byId("hold").setAttribute("aria-pressed", String(held));
  byId("hold").textContent = held ? "Go on" : "Pause";
  if (held) clearTimeout(next);
  else poll();
});
document.addEventListener("visibilitychange", () => document.hidden || held || poll());
render();
poll();

async function poll() {
  if (polling) return;
  polling = true;
  try {
    await pollOnce();
  } finally {
    polling = false;
  }
}

async function pollOnce() {
  clearTimeout(next);
  const [health, metrics] = await Promise.all([read("health", true), refused === null ? read("performance/metrics", false) : null]);
  const at = Date.now();
  if (health === null) away(at);
  else back(at, health, metrics);
  render(at);
  if (!held) next = setTimeout(poll, 1000 * pause(health, metrics));
}

async function read(path, open) {
  try {
    return await send(path, { open, seconds: 8 });
  } catch (error) {
    if (error instanceof AwayError) return null;
    throw error;
  }
}

/** Seconds until the next poll: as the service asks for, and so that its limits last. */
function pause(...answers) {
  const waits = [document.hidden ? HIDDEN : EACH];
  for (const answer of answers) {
    if (answer?.status === 429) waits.push(waitOf(answer) ?? 1);
    const windows = answer?.headers.get("RateLimit") ?? "";
    for (const [, left, seconds] of windows.matchAll(/;r=(\d+);t=(\d+)/g)) waits.push((2 * Number(seconds)) / Math.max(1, Number(left)));
  }
  return Math.min(300, Math.max(...waits));
}

function away(at) {
  awaySince ??= at;
  series.add(at, null);
  before = null;
  document.body.classList.add("stale");
  served("away", "Service away");
  say("away", { kind: "bad", title: "The service is away", lines: [`Since ${clock(awaySince)}. This page goes on asking; the figures are the last that came.`] });
}

function back(at, health, metrics) {
  if (awaySince !== null) {
    say("back", { kind: "good", title: "The service is back", lines: [`It was away for ${span((at - awaySince) / 1000)}.`] });
    backAt = at;
    if (refused === 404) refused = null; // another version may have started
  } else if (told === "back" && at > backAt + SAID) say("", null);
  awaySince = null;
  document.body.classList.remove("stale");
  if (health.body?.status) {
    last.health = health.body;
    served(health.body.status, `${health.body.status === "ok" ? "Answers" : "Degraded"} · version ${health.body.version}`);
  }
  if (health.status === 429) served("unknown", "Asked too often, slows down");
  if (metrics === null) {
    if (refused === null) series.add(at, null);
    return;
  }
  if (metrics.status === 200 && metrics.body) return counted(at, metrics.body);
  series.add(at, null);
  if (metrics.status === 401 || metrics.status === 403) keyField.show();
  if ([401, 403, 404].includes(metrics.status)) refused = metrics.status;
  if (metrics.status === 404) {
    last.metrics = null;
    return say("404", { title: "This service does not tell its metrics", lines: ["What it tells of its health stands below."] });
  }
  say(String(metrics.status), { ...inWords(metrics), waiting: "Asks again in" });
}

function counted(at, metrics) {
  if (told !== "back") say("", null);
  last.metrics = metrics;
  const total = totals(metrics);
  const since = before && total.count !== null && total.count >= before.count ? { count: total.count - before.count, errors: total.errors - before.errors } : null;
  before = total.count === null ? null : total;
  const failing = since === null ? null : since.count > 0 ? Math.max(0, since.errors) / since.count : 0;
  series.add(at, { endpoints: metrics.endpoints ?? {}, total, failing, hits: hitRate(metrics) });
  const select = byId("endpoint");
  const known = [...select.options].map((option) => option.value);
  for (const name of Object.keys(metrics.endpoints ?? {})) if (!known.includes(name)) select.append(make("option", { value: name }, name));
}

/** Say something once; a notice that nothing renews stays until another state comes. */
function say(state, words) {
  if (state === told && state !== "429") return;
  told = state;
  if (words === null) notice.clear();
  else notice.say(words);
}

function render(at = Date.now()) {
  const endpoint = byId("endpoint").value;
  const now = typeof at === "number" ? at : Date.now();
  const of = (field) => series.line((values) => values.endpoints[endpoint]?.[field]);
  byId("tiles").replaceChildren(...tiles(last.metrics, last.health, endpoint));
  latency.show([of("p50_ms"), of("p95_ms"), of("p99_ms")], now);
  throughput.show([of("per_second"), series.line((values) => values.total.perSecond)], now);
  errors.show([series.line((values) => values.failing)], now);
  cache.show([series.line((values) => values.hits)], now);
  byId("endpoints").replaceChildren(...endpointTable(last.metrics));
  byId("groups").replaceChildren(...groups(last.metrics, last.health).map(groupCard));
}

function served(state, words) {
  const place = byId("served");
  place.dataset.state = state;
  if (place.textContent !== words) place.textContent = words;
  byId("seen").textContent = state === "away" ? "The last figures that came." : `Seen at ${clock(Date.now())}, up for ${span(last.health?.uptime_seconds ?? 0)}.`;
}
