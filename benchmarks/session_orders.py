"""Sessions told as odd by `SessionOrders`: usual ones, shuffled ones, and ones with random calls.

    python benchmarks/session_orders.py --output session_orders.json

Simulated sessions of a shop's 40 operations (800 to learn from, 800 to judge), and the sets of real
sessions in ``data/ranking`` of the shared folder, where it is there: a random half to learn from,
the other to judge, over and over. Usual sessions are judged at every call; ``odd_over_rate`` is the
share of them that are told as odd at any call, over the rate. ``recall`` is that of the same
sessions of four calls and more, shuffled, or with half of their calls drawn anew, at a rate of 5 %;
``auroc`` that of shuffled ones among them by `score_samples`. Intervals are of the mean over the
drawings, which share their sessions. Prints JSON, or writes it to ``--output``.
"""

import time
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pandas as pd
from json_output import give, parser_of
from sklearn.metrics import roc_auc_score

from nextcall.anomaly.session_orders import SessionOrders
from nextcall.catalog import Catalog, describe_operation
from nextcall.locations import shared_dir
from nextcall.sessions import calls_of
from nextcall.sessions.call import Session
from nextcall.sessions.jsonl import read_queries
from nextcall.sessions.queries import observed_sessions
from nextcall.sessions.table import sessions_to_frame
from nextcall.synth import simulate

Sequences = list[list[str]]

_REAL: Final = (
    "tau_retail",
    "bfcl_multi_turn",
    "nestful_glaive_sgd",
    "restbench_tmdb",
    "sealtools_dev",
)
_RATES: Final = (0.1, 0.05, 0.02)
_RATE: Final = 0.05
_LONG: Final = 4
_LEAST: Final = 10  # long sessions of which a recall is told
_NOUNS: Final = ("orders", "users", "carts", "items", "labels", "news", "rates", "tags")
_VERBS: Final = {
    "list": ("GET", ""),
    "get": ("GET", "/{id}"),
    "create": ("POST", ""),
    "update": ("PUT", "/{id}"),
    "delete": ("DELETE", "/{id}"),
}


def table(sequences: Sequences) -> pd.DataFrame:
    """Give sequences of operations as a table of sessions."""
    return sessions_to_frame(
        [
            Session(session_id=str(place), user_id="user", calls=calls_of(calls))
            for place, calls in enumerate(sequences)
        ]
    )


def simulated(seed: int, n_sessions: int) -> Sequences:
    """Draw sessions of a shop."""
    operations = tuple(
        describe_operation(operation_id=f"{verb}_{noun}", method=method, path=f"/{noun}{path}")
        for noun in _NOUNS
        for verb, (method, path) in _VERBS.items()
    )
    drawn = simulate(
        Catalog("shop", operations), rng=np.random.default_rng(seed), n_sessions=n_sessions
    )
    groups = drawn.sessions.groupby("session_id", sort=False)["operation_id"]
    return [calls.tolist() for _, calls in groups]


def real(name: str) -> Sequences:
    """Read a set of real sessions; none where it is not there."""
    file = shared_dir() / "data/ranking" / name / "queries.jsonl"
    if not file.exists():
        return []
    sessions = observed_sessions(read_queries(file))
    return [[call.operation_id for call in session.calls] for session in sessions]


def _drawings(name: str, repeats: int) -> Iterator[tuple[Sequences, Sequences]]:
    if name == "simulated":
        for seed in range(3):
            sequences = simulated(seed, 1600)
            yield sequences[:800], sequences[800:]
        return
    sequences = real(name)
    for seed in range(repeats if sequences else 0):
        order = np.random.default_rng(seed).permutation(len(sequences))
        drawn = [sequences[place] for place in order]
        yield drawn[::2], drawn[1::2]


def _shuffled(calls: list[str], rng: np.random.Generator) -> list[str]:
    order = list(calls)
    while order == calls:
        order = [calls[place] for place in rng.permutation(len(calls))]
    return order


def judge(detector: SessionOrders, usual: Sequences, rng: np.random.Generator) -> dict[str, float]:
    """Judge sessions, and spoiled ones."""

    def shares(sequences: Sequences) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([told.probability for told in detector.score(table(sequences)).values()])

    rarest = shares(usual)
    found = {f"odd_over_rate_{rate:g}": float(np.mean(rarest <= rate) / rate) for rate in _RATES}
    long = [calls for calls in usual if len(calls) >= _LONG and len(set(calls)) > 1]
    if len(long) < _LEAST:
        return found
    known = detector.model_.states
    shuffled = [_shuffled(calls, rng) for calls in long]
    drawn = [
        [call if rng.random() < 0.5 else known[rng.integers(len(known))] for call in calls]
        for calls in long
    ]
    scores = detector.score_samples(table(long + shuffled))
    found["recall_shuffled"] = float(np.mean(shares(shuffled) <= _RATE))
    found["recall_random_calls"] = float(np.mean(shares(drawn) <= _RATE))
    found["auroc"] = float(roc_auc_score(np.arange(len(scores)) >= len(long), -scores))
    return found


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__)
    parser.add_argument("--repeats", type=int, default=16, help="halves of each real set")
    arguments = parser.parse_args()
    sets = []
    for name in ("simulated", *_REAL):
        rows, sizes = [], (0, 0)
        for seed, (learned, judged) in enumerate(_drawings(name, arguments.repeats)):
            sizes = len(learned), len(judged)
            detector = SessionOrders(rate=_RATE).fit(table(learned))
            rows.append(judge(detector, judged, np.random.default_rng(seed)))
        if not rows:
            continue
        drawn = pd.DataFrame(rows)
        half = 1.96 * drawn.std(ddof=1) / np.sqrt(len(drawn))
        sets.append(
            {
                "set": name,
                "learned": sizes[0],
                "judged": sizes[1],
                "drawings": len(drawn),
                **drawn.mean().round(3).to_dict(),
                "half_interval": half.round(3).to_dict(),
            }
        )
    sequences = simulated(0, 1000)
    detector = SessionOrders().fit(table(sequences[:500]))
    begin = time.process_time()
    for place, calls in enumerate(sequences[500:]):
        for call in calls:
            detector.update(call, str(place))
    taken = time.process_time() - begin
    result = {
        "benchmark": "session_orders",
        "update_calls_a_second": round(sum(map(len, sequences[500:])) / taken),
        "sets": sets,
    }
    give(result, arguments.output)


if __name__ == "__main__":
    main()
