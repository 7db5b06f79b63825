"""Time to remember what is shown, to keep what is told of it, and the memory of what waits.

    python benchmarks/feedback_speed.py

By turns; microseconds of CPU a call, medians of the rounds, and of the ratios within each to
putting the same value into a dict of as many (``dict``). ``remember`` makes what is remembered and
leaves it; ``answer`` does so of an answer of the service with three predictions, each time that it
is given; ``asking`` takes of its request, once, what may be remembered of ten calls by path, and
``asking, prompt`` the masked prompt, too; ``predict`` is that answer. ``kept`` gives it again from
the cache, ``interleaved`` a draft of two that are kept; ``credit`` is what is read of one later.
``bytes`` is what one prediction takes while it waits, of that many, without a prompt, with one of
60 characters, and where it was interleaved. ``told`` is how many answers a second come to disk in
SQLite from 16 threads, and beside it one after another. Prints JSON, or writes it to ``--output``.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when the libraries load

import asyncio
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
from typing import Any, TypeVar

import numpy as np
from json_output import give, parser_of

from nextcall.catalog import Catalog, describe_operation
from nextcall.feedback.draft import Draft
from nextcall.feedback.feedback import Feedback
from nextcall.feedback.shown import Shown, ShownPredictions
from nextcall.locations import packaged_model
from nextcall.ranking.model_files import load_ranker
from nextcall.serve.answering import Answering
from nextcall.serve.caching.caches import ServiceCaches
from nextcall.serve.caching.kept_answer import KeptAnswer
from nextcall.serve.feedback.shown_answers import ShownAnswers
from nextcall.serve.models.interleaved import Interleaved
from nextcall.serve.predictor import Predictor
from nextcall.serve.safety.safety import Noted, Safety
from nextcall.serve.schemas import HistoryEvent, Limits, PredictRequest
from nextcall.serve.settings import load_settings
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate
from nextcall.training.opening import open_index

_NOUNS = ("user", "order", "invoice", "basket", "parcel", "coupon", "shop", "mail", "file", "team")
_METHODS = {"GET": "get", "POST": "make", "DELETE": "remove"}
_OPERATIONS = ("get-user", "make-user", "remove-user")
_KEPT = 20_000

T = TypeVar("T")


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
            "bytes": {
                "no prompt": _bytes(None),
                "prompt": _bytes("x" * 60),
                "interleaved": _bytes(None, interleaved=True),
            },
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
    alone, both = _answering(predictor, safety)
    body = request.model_dump_json().encode()
    asyncio.run(both.reply(body, "short", user="u"))  # then both models' answers are kept
    draft = _draft(("get-user", "get-order", "make-user"))
    return {
        "dict": (lambda: plain.__setitem__(f"{next(numbers)}", one), calls),
        "remember": (lambda: shown.remember(f"{next(numbers)}", _shown(None)), calls),
        "asking": (lambda: answers.asking(request), calls),
        "asking, prompt": (lambda: masked.asking(request), calls),
        "answer": (lambda: answers.remember(f"{next(numbers)}", kept, "u"), calls),
        "kept": (lambda: _reply(alone, body), calls),
        "interleaved": (lambda: _reply(both, body), calls),
        "credit": (
            lambda: draft.credit(("get-user", "get-order", "make-user"), "get-order"),
            calls,
        ),
        "predict": (lambda: predictor.predict(request), max(calls // 20, 1)),
    }


def _answering(predictor: Predictor, safety: Safety) -> tuple[Answering, Interleaved]:
    shown, settings = ShownPredictions(), load_settings()
    remember = ShownAnswers(shown, predictor, safety, prompts=False)
    alone, other = (
        Answering(
            predictor, own, Limits(), caches=ServiceCaches(settings, predictor), shown=remembers
        )
        for own, remembers in ((safety, remember), (safety.apart(), None))
    )
    return alone, Interleaved(alone, other, shown, rng=np.random.default_rng(0))


def _reply(answering: Answering | Interleaved, body: bytes) -> object:
    """Answer what is kept, which waits for nothing: without a loop."""
    try:
        answering.reply(body, "short", user="u").send(None)
    except StopIteration as ended:
        return ended.value
    raise RuntimeError("a kept answer must be given without waiting.")


def _own(*values: T) -> tuple[T, ...]:
    """Make a tuple, each time another."""
    return values


def _draft(challenger: tuple[str, ...]) -> Draft:
    return Draft(challenger="m2", lists=(_OPERATIONS, challenger), teams=_own(0, 1, 0))


def _shown(prompt: str | None) -> Shown:
    return Shown(
        at=datetime.now(UTC),
        user="u",
        model_version="m",
        catalog_hash="c",
        operations=_OPERATIONS,
        confidences=(0.5, 0.25, 0.125),
        prompt=prompt,
    )


def _bytes(prompt: str | None, *, interleaved: bool = False) -> int:
    tracemalloc.start()
    shown = ShownPredictions()
    for number in range(_KEPT):
        own = None if prompt is None else f"{prompt}{number}"
        one = _shown(own)
        if interleaved:  # names and the current model's list are there already
            one.operations = _own("get-user", "get-order", "make-user")
            one.draft = _draft(_own("make-order", "get-order", "make-user"))
        shown.remember(f"{number:036d}", one)
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
