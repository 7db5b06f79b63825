// The playground: a question, its answers, and what became of them.

import { showAnswer } from "./answer.js";
import { EarlierCalls } from "./earlier.js";
import { byId, make, number, percent } from "./elements.js";
import { KeyField } from "./key.js";
import { Notice } from "./notice.js";
import { AwayError, send, untilBack } from "./service.js";
import { inWords } from "./words.js";

const EXAMPLES = ["list everything that is there", "delete what nobody uses", "who may read this?"];

const notice = new Notice(byId("notice"));
const tell = (words) => { byId("told").textContent = words; };
const earlier = new EarlierCalls(tell);
const keyField = new KeyField(() => {
  wait(false); // another caller has limits of its own
  ask();
});
let asking = null; // ends the question before
let busyUntil = 0;

byId("question").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
byId("prompt").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  ask();
});
for (const example of EXAMPLES) {
  const use = () => {
    byId("prompt").value = example;
    byId("prompt").focus();
    ask();
  };
  byId("examples").append(make("li", {}, make("button", { type: "button", onclick: use }, example)));
}
look();

async function ask() {
  if (Date.now() < busyUntil) return tell("The service asked to wait; see the notice.");
  const prompt = byId("prompt").value;
  if (!prompt.trim()) {
    byId("prompt").focus();
    return notice.say({ title: "Say first what is wanted", lines: ["A few words are enough."] });
  }
  const history = earlier.history();
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  const wanted = byId("number").value;
  const body = { prompt, history, max_predictions: /^\d+$/.test(wanted) ? Number(wanted) : wanted };
  byId("answer").setAttribute("aria-busy", "true");
  try {
    show(await send("predict?detail=full", { body, signal }), body);
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof AwayError)) throw error;
    await away(error, signal);
  } finally {
    if (!signal.aborted) byId("answer").removeAttribute("aria-busy");
  }
}

function show(answer, asked) {
  if (answer.status === 200 && Array.isArray(answer.body?.predictions)) return answered(answer, asked);
  const told = inWords(answer);
  tell("");
  if (answer.status === 401 || answer.status === 403) keyField.show();
  else reveal();
  if (told.wait === null) return notice.say(told);
  busyUntil = Date.now() + 1000 * told.wait;
  wait(true);
  notice.say(told, () => {
    wait(false);
    if (answer.status === 503) return ask();
    notice.say({ kind: "good", title: "You can ask again" });
  });
}

/** Bring the answers into sight where they begin below it, as on a small screen. */
function reveal() {
  const place = byId("answers");
  if (place.getBoundingClientRect().top < 0.6 * innerHeight) return;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  place.scrollIntoView({ block: "start", behavior: still ? "instant" : "smooth" });
}

function wait(must) {
  byId("ask").setAttribute("aria-disabled", String(must));
  if (!must) busyUntil = 0;
}

function answered(answer, asked) {
  const { predictions, prediction_id: id } = answer.body;
  notice.clear();
  keyField.hide();
  byId("answer").replaceChildren(...showAnswer(answer, asked, {
    next: (call) => earlier.add(call),
    chosen: (chosen, button) => keep(id, chosen, button),
  }));
  earlier.offer(predictions.map((one) => one.operation_id));
  const [first] = predictions;
  const sure = first && typeof first.confidence === "number" ? `, ${percent(first.confidence)}` : "";
  reveal();
  tell(first ? `${predictions.length} answers. First: ${first.operation_id}${sure}.` : "No answers.");
}

async function away(error, signal) {
  byId("answer").removeAttribute("aria-busy");
  served("away", "Service away");
  reveal();
  notice.say({ kind: "bad", title: "The service cannot be reached", lines: [`There is ${error.message}. The question is asked again when it is back.`] });
  const back = await untilBack({ signal });
  if (back === null) return;
  describe(back);
  notice.say({ kind: "good", title: "The service is back" });
  await ask();
}

async function keep(id, chosen, button) {
  const kept = byId("kept");
  kept.textContent = "Keeping it …";
  try {
    const answer = await send("feedback", { body: { prediction_id: id, chosen } });
    kept.textContent = keptWords(answer, chosen);
    if (answer.status >= 300) return;
    for (const other of document.querySelectorAll("[aria-pressed]")) other.setAttribute("aria-pressed", String(other === button));
    for (const card of document.querySelectorAll(".one")) card.classList.toggle("chosen", card.dataset.id === chosen);
  } catch (error) {
    if (!(error instanceof AwayError)) throw error;
    kept.textContent = "Not kept: the service cannot be reached.";
  }
}

function keptWords(answer, chosen) {
  const { status, body } = answer;
  const what = chosen ?? "none of these";
  if (status < 300) return body?.replaced ? `Kept: now ${what}.` : body?.repeated ? `Kept before: ${what}.` : `Kept: ${what}. Thank you.`;
  const isRoute = (body?.details ?? []).some((one) => one?.field === "path");
  if (status === 405 || (status === 404 && (isRoute || !body))) return "Not kept: this service does not collect feedback.";
  const { title, lines } = inWords(answer);
  return `Not kept: ${status === 404 ? (body?.error ?? title) : [title, ...lines].join(". ")}`;
}

async function look() {
  try {
    describe(await send("health", { open: true, seconds: 10 }));
  } catch (error) {
    if (!(error instanceof AwayError)) throw error;
    served("away", "Service away");
  }
}

function describe({ body }) {
  const { name, operations } = body?.components?.catalog ?? {};
  const parts = [name, typeof operations === "number" && `${number(operations)} operations`, body?.status === "degraded" && "degraded"];
  served(body?.status ?? "unknown", parts.filter(Boolean).join(" · ") || "Service");
}

function served(state, words) {
  byId("served").dataset.state = state;
  byId("served").textContent = words;
}
