// Why an operation stands where it stands: the sentence, what raised its score, its features.

import { bar, make, number, percent, scrolling } from "./elements.js";

const ASPECT = /(?:^|, | and |by )([^,()]+(?:,[^()]+?)?) \(\+(\d+\.\d+)\)/g;

/** Take apart what the service's sentence names: [[aspect, added to the score], ...]. */
export function aspects(sentence) {
  const words = sentence.replace(/^Its score was raised most by /, "");
  return [...words.matchAll(ASPECT)].map(([, aspect, added]) => [aspect.trim(), Number(added)]);
}

/** Show them for one prediction when they are asked for; `others` are those beside it. */
export function why(prediction, others) {
  return opening("Why", () => reasons(prediction, others));
}

/** Make what is filled when it is first opened: an answer is on the screen the sooner. */
function opening(title, fill) {
  const details = make("details", { class: "more" }, make("summary", {}, title));
  details.addEventListener("toggle", () => details.append(fill()), { once: true });
  return details;
}

function reasons(prediction, others) {
  const inside = make("div", { class: "why" }, make("p", {}, prediction.reasoning ?? "The service gives no reason."));
  const named = aspects(prediction.reasoning ?? "");
  if (named.length) {
    const most = Math.max(...named.map(([, added]) => added));
    inside.append(
      make("ul", { class: "aspects", "aria-label": "What raised its score most" },
        ...named.map(([aspect, added]) => make("li", {}, make("span", {}, aspect), bar(added / most), make("span", { class: "value" }, `+${number(added, 2)}`)))),
    );
  }
  inside.append(figures(prediction));
  const features = prediction.ml_features;
  if (features) {
    const beside = others.map((other) => other.ml_features ?? {});
    const title = `${Object.keys(features).length} features, the most unlike the others first`;
    inside.append(opening(title, () => featureTable(prediction.operation_id, features, beside)));
  }
  return inside;
}

function figures({ ml_ranking_score: score, semantic_similarity: cosine, safety_validated: looked }) {
  const filter = looked === null || looked === undefined ? "off" : looked ? "looked at it in full" : "looked at it in part";
  const pairs = [["Score of the trees", number(score, 2)], ["Similarity to the prompt", percent(cosine)], ["Output filter", filter]];
  return make("dl", { class: "facts" }, ...pairs.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
}

function featureTable(name, features, others) {
  const rows = Object.entries(features).map(([feature, value]) => {
    const beside = others.map((other) => other[feature]).filter((one) => typeof one === "number");
    const mean = beside.length ? beside.reduce((sum, one) => sum + one, 0) / beside.length : null;
    const all = typeof value === "number" ? [...beside, value] : beside;
    const range = Math.max(...all) - Math.min(...all);
    return { feature, value, mean, apart: mean === null || typeof value !== "number" || !range ? 0 : Math.abs(value - mean) / range };
  });
  rows.sort((one, other) => other.apart - one.apart); // as they were where none is apart
  const cells = ({ feature, value, mean }) =>
    make("tr", {}, make("th", { scope: "row", class: "mono" }, feature), make("td", { class: "number" }, number(value, 3)), make("td", { class: "number" }, number(mean, 3)));
  const head = ["Feature", "This call", "Mean of the others"].map((title, place) => make("th", { scope: "col", class: place ? "number" : null }, title));
  const table = make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows.map(cells)));
  return scrolling(`Features of ${name}`, table);
}
