// An answer of the service, as a page shows it.

import { bar, draw, make, milliseconds, number, percent } from "./elements.js";
import { why } from "./reasons.js";

const METHODS = {
  lambdamart: "trained ranker",
  fused_retrieval: "keyword and meaning search",
  rest_conventions: "REST conventions",
  generic_crud: "usual first actions",
};
const LEVELS = {
  none: null,
  prompt_only: "No earlier call is known: the prompt alone decides.",
  zero_shot: "The ranker was trained on other catalogues than this one.",
  fused_retrieval: "There is no trained ranker: keyword and meaning search answer, without a probability.",
  rest_conventions: "The prompt names nothing of the catalogue: REST conventions answer, without a probability.",
  generic_crud: "Neither prompt nor earlier calls tell anything: usual first actions stand here, without a probability.",
};

/** Say how the cache stands to an answer, in a word. */
export function cacheState({ headers, body }) {
  const told = headers.get("X-Cache");
  if (told) return told.toLowerCase();
  const hit = body?.metadata?.performance_metrics?.cache_hit;
  return typeof hit === "boolean" ? (hit ? "hit" : "miss") : "none";
}

/** Say which question it was that is answered, for another one may stand in the form. */
function question({ prompt, history }) {
  const parts = ["To “", make("q", {}, prompt.length > 200 ? `${prompt.slice(0, 199)}…` : prompt), "”"];
  if (history.length) parts.push(history.length > 3 ? ` after ${history.length} calls` : ` after ${history.map((one) => one.api_call).join(", ")}`);
  return make("p", { class: "asked" }, ...parts);
}

/** Show an answer to what was asked; `acts.next(call)` and `acts.chosen(id or null, button)` are called by its buttons. */
export function showAnswer(answer, asked, acts) {
  const { predictions = [], metadata = {} } = answer.body;
  const parts = [make("div", { class: "heading" }, question(asked), facts(answer))];
  if (metadata.none_of_these) {
    parts.push(notice("warn", "Probably none of these", `Nothing in this catalogue seems to answer the prompt (probability: ${percent(metadata.none_probability)}).`));
  }
  for (const flag of metadata.safety_flags ?? []) parts.push(notice("warn", "The guard noticed something", flag));
  const level = LEVELS[metadata.fallback_method];
  if (level) parts.push(make("p", { class: "hint" }, level));
  if (typeof metadata.none_probability === "number" && predictions.length) parts.push(make("p", { class: "hint" }, "Percentages say how probable each is, if one of the catalogue fits."));
  if (!predictions.length) parts.push(notice("warn", "No call is left", "The catalogue has nothing that may be shown for this prompt."));
  const list = make("ol", { class: "ranked" });
  for (const one of predictions) list.append(card(one, predictions.filter((other) => other !== one), acts));
  const none = make("button", { type: "button", class: "none", "aria-pressed": "false", onclick: (event) => acts.chosen(null, event.currentTarget) }, "None of these is right");
  parts.push(list, make("div", { class: "last" }, none, make("p", { class: "kept", id: "kept", role: "status" })));
  return parts;
}

function facts(answer) {
  const { metadata = {}, predictions = [], processing_time_ms: took } = answer.body;
  const considered = metadata.total_endpoints_considered;
  const pairs = [
    ["Answers", considered ? `${predictions.length} of ${number(considered)}` : number(predictions.length)],
    ["By", METHODS[metadata.processing_method] ?? metadata.processing_method ?? "–"],
    ["None fits", percent(metadata.none_probability)],
    ["Service", milliseconds(took)],
    ["Round trip", milliseconds(answer.milliseconds)],
    ["Cache", cacheState(answer)],
  ];
  return make("dl", { class: "facts" }, ...pairs.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
}

function notice(kind, title, text) {
  return make("div", { class: "notice", "data-kind": kind }, make("p", { class: "says" }, title), make("p", {}, text));
}

function card(one, others, acts) {
  const id = one.operation_id;
  const parts = [
    make("div", { class: "first" },
      make("div", { class: "head" },
        make("h3", { class: "name" }, id),
        one.method && make("span", { class: "method", "data-method": one.method }, one.method),
        one.api_call !== id && make("code", { class: "path" }, withoutMethod(one))),
      confidence(one.confidence)),
  ];
  if (one.description) parts.push(make("p", { class: "about" }, one.description));
  const takes = parameters(one.parameters ?? {});
  if (takes.length) parts.push(make("div", { class: "takes" }, ...takes));
  if (one.safety_flags?.length) parts.push(make("p", { class: "flags" }, ...one.safety_flags.map((flag) => make("span", { class: "flag" }, flag))));
  const right = make("button", { type: "button", class: "right", "aria-pressed": "false", "aria-label": `${id} is right`, onclick: (event) => acts.chosen(id, event.currentTarget) }, thumb(), "Right");
  const next = make("button", { type: "button", class: "next", "aria-label": `Add ${id} as the next earlier call`, onclick: () => acts.next(id) }, "Add as earlier call");
  parts.push(make("div", { class: "foot" }, make("div", { class: "acts" }, next, right), why(one, others)));
  return make("li", { class: "one card", "data-id": id }, make("span", { class: "rank" }, make("span", { class: "visually-hidden" }, "Rank "), String(one.rank)), make("div", { class: "body" }, ...parts));
}

function withoutMethod({ api_call: call, method }) {
  return method && call.startsWith(`${method} `) ? call.slice(method.length + 1) : call;
}

function confidence(value) {
  if (value === null || value === undefined) {
    return make("p", { class: "confidence none" }, "No probability: no trained ranker answered.");
  }
  return make("div", { class: "confidence" }, bar(value), make("span", { class: "percent" }, make("span", { class: "visually-hidden" }, "Probability that it is right: "), percent(value)));
}

function parameters(all) {
  const entries = Object.entries(all);
  const isNeeded = ([, hint]) => /\brequired\b/.test(hint);
  const needed = entries.filter(isNeeded);
  const optional = entries.filter((entry) => !isNeeded(entry));
  const shown = (rows, kind) =>
    make("ul", { class: "parameters" }, ...rows.map(([name, hint]) => make("li", { class: `parameter ${kind}` }, make("code", {}, name), " ", make("span", {}, hint.replace(/, (required|optional)$/, "")))));
  const parts = [];
  if (needed.length) parts.push(make("span", { class: "visually-hidden" }, "Required parameters"), shown(needed, "required"));
  if (optional.length) parts.push(make("details", { class: "more" }, make("summary", {}, `${optional.length} optional`), shown(optional, "optional")));
  return parts;
}

function thumb() {
  return draw("svg", { class: "thumb", viewBox: "0 0 16 16", "aria-hidden": "true" },
    draw("path", { d: "M2 7h2.600v7H2zM4.600 7.300 7.400 1.700c1.100 0 1.800.8 1.600 1.900L8.600 6h4.200c.9 0 1.500.8 1.300 1.600l-1.200 5.100c-.2.8-.8 1.300-1.600 1.300H4.600" }));
}
