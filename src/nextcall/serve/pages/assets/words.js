// What an answer that is no success means, in words.

const TITLES = {
  400: "The guard of this service refused the question",
  403: "This key may not do that",
  404: "This service has no such route",
  405: "This service has no such route",
  408: "The question took too long to arrive",
  413: "The question is too large",
  422: "The question breaks a rule",
  429: "Too many questions for now",
  500: "The service has a fault",
  503: "The service cannot answer now",
};

/** Seconds to wait that an answer asks for; null where it asks for none. */
export function waitOf({ headers, body }) {
  const told = headers.get("Retry-After");
  const seconds = told && /^\d+$/.test(told) ? Number(told) : (Date.parse(told) - Date.now()) / 1000;
  const wait = Number.isFinite(seconds) ? seconds : Number(body?.retry_after);
  return Number.isFinite(wait) && wait > 0 ? Math.min(86400, Math.ceil(wait)) : null;
}

/** Write a wait, such as 1 min 5 s. */
export function span(seconds) {
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  const parts = [[hours, "h"], [minutes, "min"], [rest, "s"]];
  return parts.filter(([count]) => count).slice(0, 2).map(([count, unit]) => `${count} ${unit}`).join(" ") || "0 s";
}

/** Say of a refusal its title, its reasons, how bad it is and how long to wait. */
export function inWords(answer) {
  const { status, body, keyed } = answer;
  const reasons = listOf(body?.reasons).map(text).concat(listOf(body?.details).map(detail));
  const said = typeof body?.error === "string" ? [body.error] : [];
  const told = { kind: status >= 500 ? "bad" : "warn", title: TITLES[status] ?? `The service answered ${status}`, lines: reasons, wait: null };
  if (status === 401) {
    told.title = keyed ? "This key is not known here" : "This service asks for a key";
    told.lines = [keyed ? "It may be mistyped, expired or revoked." : "Put it into the field “API key”, then the question is asked."];
  } else if (status === 403) {
    told.lines = [...said, "Another key may."];
  } else if (status === 429) {
    told.lines = [];
    for (const [window, left] of Object.entries(body?.limits ?? {})) {
      if (left?.remaining === 0) told.lines.push(`The limit is ${left.limit} for each ${window}.`);
    }
    told.wait = waitOf(answer) ?? 1;
  } else if (status === 500) {
    told.lines = ["Its log has the reason."];
  } else if (status === 503) {
    told.lines = said;
    told.wait = waitOf(answer) ?? 5;
  } else if (!reasons.length) {
    told.lines = said;
  }
  return told;
}

const listOf = (value) => (Array.isArray(value) ? value : []);
const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));

function detail({ field, rule, got }) {
  const came = got === null || got === undefined || got === "" ? "" : ` (got ${text(got)})`;
  return `${text(field ?? "body")}: ${text(rule ?? "")}${came}`;
}
