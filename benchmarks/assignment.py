"""Units a second that are assigned, beside bare calls of `hashlib.sha256`.

    python benchmarks/assignment.py

One core, CPU time. ``reference``: one ``hashlib.sha256`` call a unit in a loop; ``copied prefix``:
the state of a hashed prefix copied, updated and digested, a unit at a time. ``scalar``:
`Assignment.assign`, a unit at a time, as a service asks it; with a layer and a hold-out, three
buckets are looked up. The rest: `Assignment.assign_many` of columns of several makes. All by turns;
the median of the rounds, and of the ratios within each round. Before each, its first 1,000 answers
are compared with the scalar ones. Prints JSON, or writes it to ``--output``.
"""

import hashlib
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before the libraries load
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import pyarrow as pa
from json_output import give, parser_of

from nextcall.abtest.allocation import allocate
from nextcall.abtest.assignment import Assignment
from nextcall.abtest.layers import Holdout, Layer

_HALVES = allocate({"A": 50, "B": 50})
_PLAIN = Assignment(test="checkout", salt="2026", allocation=_HALVES)
_LAYERED = Assignment(
    test="checkout",
    salt="2026",
    allocation=_HALVES,
    layer=Layer(name="page", salt="2026", allocation=allocate({"checkout": 50, "title": 50})),
    holdouts=[Holdout(name="2026", salt="", share=5)],
)


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__, rounds=5)
    parser.add_argument("--units", type=int, default=1_000_000)
    arguments = parser.parse_args()
    names = [f"user-{n}" for n in range(arguments.units)]
    columns: dict[str, Any] = {
        "arrow": pa.array(names),
        "pandas": pd.Series(names),
        "object": np.array(names, dtype=object),
        "list": names,
        "int64": np.arange(10**9, 10**9 + arguments.units),
        "uuid": pa.array([f"{n:08x}-0000-4000-8000-000000000000" for n in range(arguments.units)]),
        "of 90 bytes": pa.array([f"{n:090}" for n in range(arguments.units)]),
    }
    n_looped = max(arguments.units // 5, 1)
    tasks: dict[str, tuple[int, Callable[[], object]]] = {
        "reference": (n_looped, lambda: _reference(names[:n_looped])),
        "copied prefix": (n_looped, lambda: _copied(names[:n_looped])),
        "scalar": (n_looped, lambda: _scalar(_PLAIN, names[:n_looped])),
        "scalar, layer and hold-out": (n_looped, lambda: _scalar(_LAYERED, names[:n_looped])),
    }
    for name, column in columns.items():
        _check(column)
        tasks[name] = arguments.units, lambda column=column: _PLAIN.assign_many(column)  # type: ignore[misc]
    tasks["arrow, layer and hold-out"] = (
        arguments.units,
        lambda: _LAYERED.assign_many(columns["arrow"]),
    )
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(arguments.rounds):
        for name, (n_units, task) in tasks.items():
            begin = time.process_time()
            task()
            seconds[name].append((time.process_time() - begin) / n_units)
    result = {
        "benchmark": "assignment",
        "units": arguments.units,
        "rounds": arguments.rounds,
        "microseconds_a_unit": {
            name: 1e6 * statistics.median(each) for name, each in seconds.items()
        },
        "units_a_second": {name: 1 / statistics.median(each) for name, each in seconds.items()},
        "times_the_reference": {
            name: statistics.median(
                one / other for one, other in zip(seconds["reference"], each, strict=True)
            )
            for name, each in seconds.items()
        },
    }
    give(result, arguments.output)


def _reference(units: list[str]) -> None:
    for unit in units:
        hashlib.sha256(unit.encode())


def _copied(units: list[str]) -> None:
    prefix = hashlib.sha256(b"4:test,8:checkout,4:2026,")
    for unit in units:
        hashed = prefix.copy()
        hashed.update(unit.encode())
        hashed.digest()


def _scalar(assignment: Assignment, units: list[str]) -> None:
    for unit in units:
        assignment.assign(unit)


def _check(column: Any) -> None:
    """Compare, and compile."""
    first = list(column[:1_000]) if isinstance(column, list) else column[:1_000].tolist()
    for assignment in (_PLAIN, _LAYERED):
        found = assignment.assign_many(column[:1_000])
        one_by_one = [assignment.assign(unit).variant for unit in first]
        if [None if code < 0 else found.variants[code] for code in found.codes] != one_by_one:
            raise SystemExit(f"error: {type(column)} is assigned other variants")


if __name__ == "__main__":
    main()
