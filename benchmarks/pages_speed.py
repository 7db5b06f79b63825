"""Time from Enter on the playground to the answer on the screen, beside a bare fetch of the same.

    python benchmarks/pages_speed.py --catalog data/catalogs/aws.parquet --model data/models/aws

In the Chromium of the machine, before `nextcall serve`, which is started as often as ``--starts``
says; every prompt is another. Enter is the moment of the key's event, the screen is the frame after
the first answer stands in the page. ``first``: of the question that is the first of all that a
service is asked, in a page that was just opened. The rest is of the last of these services, when it
is warm. Milliseconds, and medians of the ratios of each question and the bare fetch after it.
``server_ms`` is what the service says that the first answer took it. Prints JSON, or writes it to
``--output``.
"""

import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx
from json_output import give, parser_of
from playwright.sync_api import Browser, Page, sync_playwright

_COMMAND: Final = "from nextcall.cli.main import main; main()"

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
    parser.add_argument("--catalog", type=Path, default=Path("data/catalogs/aws.parquet"))
    parser.add_argument("--model", type=Path, default=Path("data/models/aws"))
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--starts", type=int, default=5)
    arguments = parser.parse_args()
    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("error: chromium must be installed (Debian's package of that name).")
    first: list[tuple[float, float]] = []
    pairs: list[tuple[float, float]] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        for start in range(arguments.starts):
            with _service(arguments.catalog, arguments.model) as at:
                page = _open(browser, at)
                with page.expect_response("**/predict?detail=full") as answered:
                    seen = _ask(page, "list the buckets that nobody has read this year")
                first.append((seen, answered.value.json()["processing_time_ms"]))
                if start == arguments.starts - 1:
                    for number in range(10):
                        _ask(page, f"warm {number}")
                    pairs = [_pair(page, number) for number in range(arguments.questions)]
                page.close()
        browser.close()
    told = {
        "enter_to_screen_ms": [each[0] for each in first],
        "server_ms": [each[1] for each in first],
    }
    give(
        {
            "benchmark": "pages_speed",
            "first": {name: [round(value, 1) for value in values] for name, values in told.items()},
            **_summary(pairs),
        },
        arguments.output,
    )


@contextmanager
def _service(catalog: Path, model: Path) -> Iterator[str]:
    """Start a service that nobody asked yet."""
    with TemporaryDirectory() as folder:
        options = ["--catalog", str(catalog), "--model", str(model), "--port", "0"]
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                _COMMAND,
                "serve",
                *options,
                "--database",
                f"sqlite:///{folder}/a",
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stderr is not None  # noqa: S101  # it was asked for
            said = ""
            while (found := re.search(r"at (http://\S+:\d+) ", said)) is None:
                said = process.stderr.readline()
            with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as asking:
                asking.get(f"{found[1]}/health").raise_for_status()
            yield f"{found[1]}/"
        finally:
            process.terminate()
            process.wait(30)


def _open(browser: Browser, at: str) -> Page:
    page = browser.new_page()
    page.goto(at)
    page.evaluate(_WATCH)
    return page


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
