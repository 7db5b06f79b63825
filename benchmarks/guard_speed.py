"""Microseconds of all checks of one prompt: detector, personal data, content; and by the service.

By the service: all that its guard adds to a request to ``/predict`` with a history of three calls
that it saw before, and to its answer of three operations that it showed before, in CPU time of the
thread. Ordinary prompts full of suspicious words, joined and cut to a length; each is checked
several times and its fastest turn counts, for others use the machine too. Emptied: each is checked
once, after as many bytes were read and written as a ranking takes, so that the processor's caches
hold nothing of the guard; so are single ordinary prompts. Prints JSON,
or writes it to ``--output``.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from json_output import give, parser_of

from nextcall.catalog import Catalog, Parameter, describe_operation
from nextcall.guard.content import ContentCheck
from nextcall.guard.guard import Guard
from nextcall.guard.pii import find_pii
from nextcall.serve.predictor import Predictor
from nextcall.serve.safety.safety import Safety
from nextcall.serve.schemas import HistoryEvent, PredictRequest
from nextcall.serve.settings import load_settings
from nextcall.training.opening import open_index

_PROMPTS: Final = Path(__file__).parents[1] / "tests" / "data" / "benign_prompts.txt"
_LENGTHS: Final = (50, 200, 1000)
_EMPTYING: Final = np.zeros(1_500_000, np.float32)  # 6 MB: more than a core's own caches hold


def prompts_of(length: int, number: int) -> list[str]:
    """Ordinary prompts in a row, cut at a length; those in other scripts are left out."""
    lines = [line for line in _PROMPTS.read_text(encoding="utf-8").splitlines() if line.isascii()]
    rng = np.random.default_rng(length)
    texts = []
    for _ in range(number):
        order = rng.permutation(len(lines))
        texts.append(" ".join(lines[place] for place in order[: 1 + length // 10])[:length])
    return texts


class Service:
    """What the service does of its guard, without HTTP and without the ranker."""

    def __init__(self) -> None:
        names = ("listOrders", "getOrder", "deleteOrder")
        parameters = [Parameter(name=name, type="string") for name in ("id", "limit", "status")]
        operations = [
            describe_operation(
                operation_id=name,
                method="GET",
                path=f"/{name}/{{id}}",
                summary=f"Does {name}, and says what became of it. " * 5,
                parameters=parameters,
            )
            for name in names
        ]
        catalog = Catalog("shop", tuple(operations))
        calls = ("listOrders", "GET /listOrders/123", "GET /getOrder/123?expand=items")
        self._history = [HistoryEvent(api_call=call) for call in calls]
        # Some prompts are refused by default; here all take the same way.
        settings = load_settings(guard_policies={"/predict": "observe"})
        self._safety = Safety(settings, catalog)
        with tempfile.TemporaryDirectory() as cache:
            self._answer = Predictor(open_index(catalog, cache=Path(cache))).predict(
                self.request("list the orders")
            )

    def request(self, prompt: str) -> PredictRequest:
        """Ask for three operations; this costs time without a guard, too."""
        return PredictRequest(prompt=prompt, history=self._history, max_predictions=3)

    def check(self, prompt: str) -> None:
        """Check a request."""
        self._safety.check_request("/predict", self.request(prompt))

    def guard(self, prompt: str) -> None:
        """Check a request, and filter its answer."""
        checked = self._safety.check_request("/predict", self.request(prompt))
        self._safety.released(self._answer, checked)


def fastest(check: Callable[[str], object], text: str, turns: int) -> int:
    """Nanoseconds of CPU of the fastest of some turns."""
    spent = []
    for _ in range(turns):
        begin = time.thread_time_ns()
        check(text)
        spent.append(time.thread_time_ns() - begin)
    return min(spent)


def emptied(check: Callable[[str], object], texts: list[str]) -> dict[str, float]:
    """Percentiles of the nanoseconds of CPU of checks for which all must come from memory."""
    spent = []
    for text in texts:
        np.add(_EMPTYING, 1, out=_EMPTYING)
        begin = time.thread_time_ns()
        check(text)
        spent.append(time.thread_time_ns() - begin)
    return percentiles(spent)


def percentiles(nanoseconds: list[int]) -> dict[str, float]:
    """Median and 95th percentile, in microseconds."""
    return {
        f"p{share}_us": round(float(np.percentile(nanoseconds, share)) / 1000, 1)
        for share in (50, 95)
    }


def main() -> None:
    """Time the checks and give percentiles."""
    parser = parser_of(__doc__)
    parser.add_argument("--prompts", type=int, default=1000, help="prompts of each length")
    parser.add_argument("--turns", type=int, default=5, help="turns of each prompt")
    options = parser.parse_args()
    guard, content = Guard(policy="observe"), ContentCheck()
    checks: dict[str, Callable[[str], object]] = {
        "detector": guard.detect,
        "personal data": find_pii,
        "content": content.judge,
    }
    service = Service()
    by_service: dict[str, Callable[[str], object]] = {
        "service, request": service.check,
        "service, request and answer": service.guard,
        "service, without guard": service.request,
    }
    result: dict[str, object] = {"benchmark": "guard_speed", "prompts": options.prompts}
    for length in _LENGTHS:
        texts = prompts_of(length, options.prompts)
        taken: dict[str, list[int]] = {name: [] for name in (*checks, "all", *by_service)}
        for text in texts:
            spent = {name: fastest(check, text, options.turns) for name, check in checks.items()}
            for name, one in spent.items():
                taken[name].append(one)
            taken["all"].append(sum(spent.values()))
            for name, check in by_service.items():
                taken[name].append(fastest(check, text, options.turns))
        result[f"{length} characters"] = {
            **{name: percentiles(spent) for name, spent in taken.items()},
            "service, request, emptied": emptied(service.check, texts),
        }
    lines = [line for line in _PROMPTS.read_text(encoding="utf-8").splitlines() if line.isascii()]
    result["ordinary prompts"] = {
        "service, request, emptied": emptied(service.check, lines),
        "service, without guard, emptied": emptied(service.request, lines),
    }
    give(result, options.output)


if __name__ == "__main__":
    main()
