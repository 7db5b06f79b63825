"""Time to remember what is shown, to keep what is told of it, and the memory of what waits.

    python benchmarks/feedback_speed.py

By turns; microseconds of CPU a call, medians of the rounds, and of the ratios within each to
putting the same value into a dict of as many (``dict``). ``remember`` makes what is remembered and
leaves it; ``answer`` does so of an answer of the service with three predictions, each time that it
is given; ``asking`` takes of its request, once, what may be remembered of ten calls by path, and
``asking, prompt`` the masked prompt, too; ``predict`` is that answer. ``bytes`` is what one
prediction takes while it waits, of that many, without a prompt and with one of 60 characters.
``told`` is how many answers a second come to disk in SQLite from 16 threads, and beside it one
after another. Prints JSON, or writes it to ``--output``.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when the libraries load

import statistics
import tempfile
import time
import tracemalloc
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from json_output import give, parser_of

from nextcall.catalog import Catalog, describe_operation
from nextcall.feedback.feedback import Feedback
from nextcall.feedback.shown import Shown, ShownPredictions
from nextcall.locations import packaged_model
from nextcall.ranking.model_files import load_ranker
from nextcall.serve.caching.kept_answer import KeptAnswer
from nextcall.serve.feedback.shown_answers import ShownAnswers
from nextcall.serve.predictor import Predictor
from nextcall.serve.safety.safety import Noted, Safety
from nextcall.serve.schemas import HistoryEvent, PredictRequest
from nextcall.serve.settings import load_settings
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate
from nextcall.training.opening import open_index

_NOUNS = ("user", "order", "invoice", "basket", "parcel", "coupon", "shop", "mail", "file", "team")
_METHODS = {"GET": "get", "POST": "make", "DELETE": "remove"}
_KEPT = 20_000


def main() -> None:
    """Measure the ways in turns, then the memory and the disk."""
    parser = parser_of(__doc__, rounds=9)
    parser.add_argument("--calls", type=int, default=2_000, help="of each way in a round")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cpu: dict[str, list[float]] = {}
        for _ in range(arguments.rounds):
            for name, (way, calls) in _ways(Path(folder), arguments.calls).items():
                begin = time.process_time()
                for _ in range(calls):
                    way()
                cpu.setdefault(name, []).append((time.process_time() - begin) / calls * 1e6)
        told = _told(Path(folder))
    give(
        {
            "benchmark": "feedback_speed",
            "microseconds": {name: round(statistics.median(v), 2) for name, v in cpu.items()},
            "ratios": {
                f"{name} / dict": round(
                    statistics.median(a / b for a, b in zip(own, cpu["dict"], strict=True)), 2
                )
                for name, own in cpu.items()
                if name != "dict"
            },
            "bytes": {"no prompt": _bytes(None), "prompt": _bytes("x" * 60)},
            "told": told,
        },
        arguments.output,
    )


_parts: list[Any] = []


def _ways(folder: Path, calls: int) -> dict[str, tuple[Callable[[], object], int]]:
    if not _parts:
        operations = tuple(
            describe_operation(
                operation_id=f"{verb}-{noun}", method=method, path=f"/{noun}s/{{id}}", summary=verb
            )
            for noun in _NOUNS
            for method, verb in _METHODS.items()
        )
        index = open_index(Catalog("shop", operations), cache=folder)
        predictor = Predictor(index, ranker=load_ranker(packaged_model())[0])
        _parts.extend([predictor, Safety(load_settings(), index.catalog)])
    predictor, safety = _parts
    history = [HistoryEvent(api_call=f"GET /{noun}s/7") for noun in _NOUNS]
    request = PredictRequest(
        prompt="make an order for ada@example.com", history=history, max_predictions=3
    )
    noted = Noted(outcome="passed", families=(), pii=())
    kept = KeptAnswer.of(predictor.predict(request), noted)
    numbers = count()
    plain: OrderedDict[str, Shown] = OrderedDict()
    shown = ShownPredictions()
    one = _shown(None)
    answers = ShownAnswers(ShownPredictions(), predictor, safety, prompts=False)
    masked = ShownAnswers(ShownPredictions(), predictor, safety, prompts=True)
    return {
        "dict": (lambda: plain.__setitem__(f"{next(numbers)}", one), calls),
        "remember": (lambda: shown.remember(f"{next(numbers)}", _shown(None)), calls),
        "asking": (lambda: answers.asking(request), calls),
        "asking, prompt": (lambda: masked.asking(request), calls),
        "answer": (lambda: answers.remember(f"{next(numbers)}", kept, "u"), calls),
        "predict": (lambda: predictor.predict(request), max(calls // 20, 1)),
    }


def _shown(prompt: str | None) -> Shown:
    return Shown(
        at=datetime.now(UTC),
        user="u",
        model_version="m",
        catalog_hash="c",
        operations=("get-user", "make-user", "remove-user"),
        confidences=(0.5, 0.25, 0.125),
        prompt=prompt,
    )


def _bytes(prompt: str | None) -> int:
    tracemalloc.start()
    shown = ShownPredictions()
    for number in range(_KEPT):
        own = None if prompt is None else f"{prompt}{number}"
        shown.remember(f"{number:036d}", _shown(own))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return round(used / len(shown))


def _told(folder: Path, answers: int = 2_000) -> dict[str, int]:
    found = {}
    for name, threads, n in (("16 threads", 16, answers), ("one", 1, answers // 10)):
        file = folder / f"{threads}.db"
        with Database(f"sqlite:///{file}") as database:
            migrate(database)
            with Feedback(database, ShownPredictions()) as feedback:
                for number in range(n):
                    feedback.shown.remember(str(number), _shown(None))

                def tell(number: int, feedback: Feedback = feedback) -> None:
                    feedback.give(str(number), "make-user", at=datetime.now(UTC), user="u")

                begin = time.perf_counter()
                with ThreadPoolExecutor(threads) as pool:
                    list(pool.map(tell, range(n)))
                found[name] = round(n / (time.perf_counter() - begin))
    return found


if __name__ == "__main__":
    main()
