"""Time from Enter on the playground to the answer on the screen, beside a bare fetch of the same.

    nextcall serve --catalog data/catalogs/aws.parquet &
    python benchmarks/pages_speed.py --at http://127.0.0.1:8000/

In the Chromium of the machine, before a service that runs and is warm; every prompt is another.
Enter is the moment of the key's event, the screen is the frame after the first answer stands in the
page. Milliseconds, and medians of the ratios of each question and the bare fetch after it. Prints
JSON, or writes it to ``--output``.
"""

import shutil
import statistics
from typing import Any, Final

from json_output import give, parser_of
from playwright.sync_api import Page, sync_playwright

_WORDS: Final = ("buckets", "queues", "tables", "keys", "users", "alarms", "images", "streams")
_WATCH: Final = """() => {
  let pressed = 0;
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter") pressed = event.timeStamp;
  }, { capture: true });
  new MutationObserver(() => {
    if (!pressed || !document.querySelector(".one")) return;
    const start = pressed;
    pressed = 0;
    requestAnimationFrame(() => setTimeout(() => { window.took = performance.now() - start; }));
  }).observe(document.getElementById("answer"), { childList: true });
}"""
_FETCH: Final = """async (prompt) => {
  const start = performance.now();
  const body = JSON.stringify({ prompt, history: [], max_predictions: 5 });
  const answer = await fetch("predict?detail=full", { method: "POST", body });
  await answer.json();
  return performance.now() - start;
}"""


def main() -> None:
    """Measure, and print or write."""
    parser = parser_of(__doc__)
    parser.add_argument("--at", default="http://127.0.0.1:8000/", help="where the service is")
    parser.add_argument("--questions", type=int, default=100)
    arguments = parser.parse_args()
    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("error: chromium must be installed (Debian's package of that name).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        page = browser.new_page()
        page.goto(arguments.at)
        page.evaluate(_WATCH)
        for number in range(10):
            _ask(page, f"warm {number}")
        pairs = [_pair(page, number) for number in range(arguments.questions)]
        browser.close()
    give({"benchmark": "pages_speed", **_summary(pairs)}, arguments.output)


def _pair(page: Page, number: int) -> tuple[float, float]:
    word = _WORDS[number % len(_WORDS)]
    seen = _ask(page, f"list the {word} of team {number}")
    return seen, float(page.evaluate(_FETCH, f"show the {word} of team {number}"))


def _ask(page: Page, prompt: str) -> float:
    page.evaluate("() => { window.took = 0; }")
    page.fill("#prompt", prompt)
    page.press("#prompt", "Enter")
    page.wait_for_function("() => window.took > 0")
    return float(page.evaluate("() => window.took"))


def _summary(pairs: list[tuple[float, float]]) -> dict[str, Any]:
    seen, fetched = ([pair[place] for pair in pairs] for place in (0, 1))
    return {
        "questions": len(pairs),
        "enter_to_screen_ms": _percentiles(seen),
        "bare_fetch_ms": _percentiles(fetched),
        "ratio": round(statistics.median(one / other for one, other in pairs), 2),
    }


def _percentiles(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    most = {"p50": cuts[49], "p95": cuts[94], "most": max(values)}
    return {name: round(value, 1) for name, value in most.items()}


if __name__ == "__main__":
    main()
