"""Rows a second that are on disk when their callers go on: one commit for many, and one each.

    python benchmarks/group_commit.py [--url postgresql://...]

Callers write one small row at a time and wait until it is durable (SQLite in a new file of
``--folder``: WAL, synchronous FULL; PostgreSQL with its own settings, in a table that is dropped
after). ``one commit, 1 caller``; ``one commit each``: every caller has a connection and a
transaction of its own; ``group``: all hand their rows to one `GroupWriter`, from threads and from
tasks of asyncio. By turns; wall time, the median of the rounds, and of the ratios within each.
The rows are counted after each. Prints JSON, or writes it to ``--output``.
"""

import asyncio
import itertools
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from json_output import give, parser_of
from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, Text, func, insert, select

from nextcall.storage.database import Database
from nextcall.storage.group_writer import GroupWriter

_TABLES = MetaData()
_ROW = Table(
    "benchmark_group_commit",
    _TABLES,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("unit", Text, nullable=False),
)
_INSERT = insert(_ROW)
_EACH = "one commit each"


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__, rounds=5)
    parser.add_argument("--url", help="of PostgreSQL; SQLite where none is given")
    parser.add_argument("--folder", type=Path, default=Path(), help="for SQLite's file: its disk")
    parser.add_argument("--callers", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    arguments = parser.parse_args()
    with TemporaryDirectory(dir=arguments.folder) as folder:
        url = arguments.url or f"sqlite:///{folder}/rows.db"
        with Database(url, connections=arguments.callers) as database:
            result = _measure(
                database, arguments.callers, seconds=arguments.seconds, rounds=arguments.rounds
            )
    give(result, arguments.output)


Way = Callable[[], int]
"""Lets callers write for some seconds; gives how many rows they wrote."""


def _ways(database: Database, callers: int, seconds: float, sizes: list[int]) -> dict[str, Way]:
    numbers = itertools.count()

    def write(connection: Connection, items: Sequence[int]) -> Sequence[int]:
        sizes.append(len(items))
        connection.execute(_INSERT, [{"id": item, "unit": f"user-{item}"} for item in items])
        return items

    def alone(item: int) -> None:
        with database.writing() as connection:
            connection.execute(_INSERT, {"id": item, "unit": f"user-{item}"})

    def grouped(run: Callable[[GroupWriter[int, int]], int]) -> int:
        with GroupWriter(database, write) as writer:
            return run(writer)

    async def tasks(writer: GroupWriter[int, int]) -> int:
        end = time.perf_counter() + seconds

        async def caller() -> int:
            n = 0
            while time.perf_counter() < end:
                await writer.write_async(next(numbers))
                n += 1
            return n

        return sum(await asyncio.gather(*(caller() for _ in range(callers))))

    return {
        "one commit, 1 caller": lambda: _threads(alone, numbers, 1, seconds),
        _EACH: lambda: _threads(alone, numbers, callers, seconds),
        "group, threads": lambda: grouped(
            lambda writer: _threads(writer.write, numbers, callers, seconds)
        ),
        "group, tasks": lambda: grouped(lambda writer: asyncio.run(tasks(writer))),
    }


def _measure(database: Database, callers: int, *, seconds: float, rounds: int) -> dict[str, object]:
    sizes = list[int]()
    ways = _ways(database, callers, seconds, sizes)
    rows: dict[str, list[float]] = {name: [] for name in ways}
    of_groups: dict[str, float] = {}
    with database.writing() as connection:
        _TABLES.create_all(connection)
    try:
        for _ in range(rounds):
            for name, way in ways.items():
                sizes.clear()
                before, begin = _count(database), time.perf_counter()
                n = way()
                rows[name].append(n / (time.perf_counter() - begin))
                if _count(database) - before != n:
                    raise SystemExit(f"error: {name}: rows are missing")
                if sizes:
                    of_groups[name] = statistics.mean(sizes)
    finally:
        with database.writing() as connection:
            _TABLES.drop_all(connection)
    return {
        "benchmark": "group_commit",
        "backend": database.backend,
        "callers": callers,
        "rows_a_second": {name: statistics.median(found) for name, found in rows.items()},
        "times_one_commit_each": {
            name: statistics.median(
                one / other for one, other in zip(found, rows[_EACH], strict=True)
            )
            for name, found in rows.items()
        },
        "rows_of_a_commit": of_groups,
    }


def _threads(
    write: Callable[[int], object], numbers: "itertools.count[int]", n_threads: int, seconds: float
) -> int:
    """Let callers write one row after another for some seconds; give how many were written."""
    counts, end = [0] * n_threads, time.perf_counter() + seconds

    def caller(place: int) -> None:
        while time.perf_counter() < end:
            write(next(numbers))
            counts[place] += 1

    threads = [threading.Thread(target=caller, args=(place,)) for place in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def _count(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.scalar(select(func.count()).select_from(_ROW)) or 0)


if __name__ == "__main__":
    main()
