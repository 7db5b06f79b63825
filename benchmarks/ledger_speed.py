"""Time that the ledger adds to a call of a language model, beside two bare commits.

    python benchmarks/ledger_speed.py [--url postgresql://...]

``a call`` sets money aside and puts what it cost in its place: two transactions, each on disk when
it returns. ``two commits`` write one small row each, as little as can be on disk twice. By turns:
milliseconds of one caller, and calls a second of ``--callers`` threads at once. ``an emergency`` is
asked of the ledger as at each call, in microseconds, beside one read of the database. Then a day of
``--calls`` calls is read as ``GET /cost-analytics`` does, beside pandas over one row a call; and in
all as ``GET /performance/metrics`` does, beside one read.
Medians of the rounds, and of the ratios within each. SQLite lies in a new file of ``--folder``;
a PostgreSQL is brought up to date, and what was written there is deleted. Prints JSON, or writes
it to ``--output``.
"""

import statistics
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import uuid4

import numpy as np
from json_output import give, parser_of, rounded
from sqlalchemy import Column, Connection, MetaData, Table, Text, delete, insert, select

from nextcall.llm.budget import Budget
from nextcall.llm.ledger import Ledger
from nextcall.llm.model import Model
from nextcall.llm.tables import CALL, DAY
from nextcall.storage.database import Database
from nextcall.storage.opening import open_database

_TABLES = MetaData()
_ROW = Table("benchmark_ledger", _TABLES, Column("id", Text, primary_key=True))
_CALLS_AT: Final = datetime(1990, 1, 1, 12, tzinfo=UTC)  # days that nothing else is kept of
_READ_AT: Final = datetime(1990, 1, 2, 12, tzinfo=UTC)
_MODEL = Model(name="small", provider="cloud", input_price=Decimal(1))

Way = Callable[[], object]
Ways = dict[str, Way]


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__, rounds=9, seed=0)
    parser.add_argument("--url", help="of PostgreSQL; SQLite where none is given")
    parser.add_argument("--folder", type=Path, default=Path(), help="for SQLite's file: its disk")
    parser.add_argument("--callers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each measurement")
    parser.add_argument("--calls", type=int, default=100_000, help="of the day that is read")
    arguments = parser.parse_args()
    with TemporaryDirectory(dir=arguments.folder) as folder:
        url = arguments.url or f"sqlite:///{folder}/calls.db"
        with open_database(url, patience=60.0) as database:
            with database.writing() as connection:
                _TABLES.create_all(connection)
                _fill(connection, arguments.calls, np.random.default_rng(arguments.seed))
            try:
                result = _measure(
                    database, arguments.rounds, callers=arguments.callers, seconds=arguments.seconds
                )
            finally:
                _clean(database)
    give({"benchmark": "ledger_speed", "calls": arguments.calls, **result}, arguments.output)


def _measure(database: Database, rounds: int, *, callers: int, seconds: float) -> dict[str, object]:
    ledger = Ledger(database, budget=Budget(), clock=lambda: _CALLS_AT)
    later = Ledger(database, budget=Budget(), clock=lambda: _READ_AT)

    def call() -> None:
        made = ledger.reserve(_MODEL, tier="low", purpose="run", most=1)
        ledger.settle(made, outcome="ok", cost=0, seconds=0.5, input_tokens=500)

    def commits() -> None:
        for _ in range(2):
            with database.writing() as connection:
                connection.execute(insert(_ROW).values(id=uuid4().hex))

    def read() -> None:
        with database.reading() as connection:
            connection.scalar(select(DAY.c.committed).where(DAY.c.day == _CALLS_AT.date()))

    def by_pandas() -> None:
        frame = later.frame(since=_READ_AT.date())
        frame.groupby(["provider", "model"])["seconds"].quantile(np.array([0.5, 0.95, 0.99]))

    both: Ways = {"a call": call, "two commits": commits}
    kinds: dict[str, tuple[Ways, Callable[[Way], float]]] = {
        "milliseconds": (both, lambda way: 1e3 / _a_second(way, 1, seconds)),
        f"calls_a_second_of_{callers}": (both, lambda way: _a_second(way, callers, seconds)),
        "emergency_microseconds": (
            {"an emergency": ledger.is_emergency, "one read": read},
            lambda way: 1e6 / _a_second(way, 1, seconds / 5),
        ),
        "in_all_microseconds": (
            {"a day in all": later.day_cost, "one read": read},
            lambda way: 1e6 / _a_second(way, 1, seconds / 5),
        ),
        "day_milliseconds": ({"a day": later.spending, "by pandas": by_pandas}, _once),
    }
    found: dict[str, dict[str, list[float]]] = {
        kind: {name: [] for name in ways} for kind, (ways, _) in kinds.items()
    }
    for number in range(rounds):
        for kind, (ways, measure) in kinds.items():
            for name in list(ways)[:: 1 if number % 2 else -1]:  # who is first changes
                found[kind][name].append(measure(ways[name]))
    return {
        **{kind: {name: _median(each) for name, each in of.items()} for kind, of in found.items()},
        "ratios": {kind: _ratio(of) for kind, of in found.items()},
        "samples": rounded(found),
    }


def _once(way: Way) -> float:
    begin = time.perf_counter()
    way()
    return 1e3 * (time.perf_counter() - begin)


def _a_second(way: Way, callers: int, seconds: float) -> float:
    """Let callers do it again and again; give how often a second."""
    done, end = [0] * callers, time.perf_counter() + seconds

    def work(number: int) -> None:
        while time.perf_counter() < end:
            way()
            done[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(callers)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - begin)


def _median(values: list[float]) -> float:
    return float(f"{statistics.median(values):.4g}")


def _ratio(of: dict[str, list[float]]) -> dict[str, float]:
    (one, ours), (other, peer) = of.items()
    return {f"{one} / {other}": _median([a / b for a, b in zip(ours, peer, strict=True)])}


def _fill(connection: Connection, calls: int, rng: np.random.Generator) -> None:
    """Write a day of calls of four models."""
    rows = [
        {
            "id": uuid4().hex,
            "at": _READ_AT,
            "day": _READ_AT.date(),
            "provider": "cloud",
            "model": f"model-{place % 4}",
            "tier": "low",
            "purpose": "run",
            "reserved": 1_000_000,
            "outcome": "ok" if place % 10 else "timeout",
            "cost": 400_000,
            "seconds": seconds,
            "input_tokens": 500,
            "output_tokens": 50,
            "cached_tokens": 0,
        }
        for place, seconds in enumerate(rng.lognormal(-0.5, 0.5, calls).tolist())
    ]
    connection.execute(insert(CALL), rows)


def _clean(database: Database) -> None:
    days = (_CALLS_AT.date(), _READ_AT.date())
    with database.writing(seconds=600.0) as connection:
        for table in (CALL, DAY):
            connection.execute(delete(table).where(table.c.day.in_(days)))
        _TABLES.drop_all(connection)


if __name__ == "__main__":
    main()
