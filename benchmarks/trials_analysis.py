"""How long a test with many records takes to say what it says, as a library and over HTTP.

    python benchmarks/trials_analysis.py [--records 10000000] [--url postgresql://...]

Fills a new database (SQLite in ``--folder``; or ``--url``): units with ``--events`` records each,
half of them of one metric and half of another. Row by row as recording leaves them, the sums made
of each unit's totals by integers; a small test is first filled both ways, by recording and so, and
every table must be the same. Then asks `Trials.analyze`, and ``GET .../analyze`` of the service in
a process of its own, ``--looks`` times each; given are milliseconds (median, 95th percentile,
longest; and what was computed for one, which says more where others use the machine). Prints JSON,
or writes it to ``--output``.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx
import numpy as np
from json_output import give, parser_of
from numpy.typing import NDArray
from sqlalchemy import delete, select
from trials_http import cpu_seconds, server_of

from nextcall.storage.database import LONG, Database
from nextcall.storage.opening import open_database
from nextcall.trials.definition import Definition, Variant
from nextcall.trials.exact import Exact
from nextcall.trials.life import Trial
from nextcall.trials.recording import write_sightings
from nextcall.trials.rows import insert_rows, put_rows
from nextcall.trials.sighting import Running
from nextcall.trials.tables import AGGREGATE, ARM, EVENT, EXPOSURE, UNIT_TOTAL
from nextcall.trials.trials import Trials

_METRICS: Final = ("taken", "seconds")
_UNITS_AT_ONCE: Final = 20_000  # of one transaction
_FILLED: Final = (EVENT, UNIT_TOTAL, EXPOSURE, AGGREGATE, ARM)


def main() -> None:
    """Fill, ask, and print or write."""
    parser = parser_of(__doc__)
    parser.add_argument("--url", help="of PostgreSQL; SQLite where none is given")
    parser.add_argument("--folder", type=Path, default=Path(), help="for SQLite's file")
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--events", type=int, default=10, help="of a unit; even")
    parser.add_argument("--looks", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with TemporaryDirectory(dir=arguments.folder) as folder:
        _compare(f"sqlite:///{folder}/small.db", arguments)
        url = arguments.url or f"sqlite:///{folder}/trials.db"
        with open_database(url) as database, Trials(database) as trials:
            units = arguments.records // arguments.events
            trial = trials.start(trials.create(_plan(units // 2)).test_id)
            begin = time.perf_counter()
            _fill(database, trial, _made(units, arguments))
            print(f"filled in {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
            library = _milliseconds(
                lambda: trials.analyze(trial.test_id), time.process_time, arguments.looks
            )
            result = trials.analyze(trial.test_id)
        with (
            server_of("trials", url, folder) as (place, process),
            httpx.Client(
                base_url=place, timeout=60, transport=httpx.HTTPTransport(retries=8)
            ) as asking,
        ):
            at = f"/api/ab-testing/tests/{trial.test_id}/analyze"
            http = _milliseconds(
                lambda: asking.get(at).raise_for_status(),
                lambda: cpu_seconds(process),
                arguments.looks,
            )
    give(
        {
            "benchmark": "trials_analysis",
            "records": sum(each.events for each in result.variant_results)
            + sum(each.events for own in result.other_metrics.values() for each in own),
            "units": sum(each.units for each in result.variant_results),
            "library_ms": library,
            "http_ms": http,
            "reason": result.reason,
        },
        arguments.output,
    )


def _plan(units: int) -> Definition:
    return Definition(
        test_name="ranker",
        test_type="model",
        variants=[
            Variant(variant_id=each, variant_name=each, traffic_percentage=50) for each in "AB"
        ],
        control_variant_id="A",
        primary_metric=_METRICS[0],
        planned_sample_size=max(units, 100),
    )


def _made(units: int, arguments: argparse.Namespace) -> NDArray[np.int64]:
    """Give values in parts of 1,024: of each unit, metric and event."""
    rng = np.random.default_rng(arguments.seed)
    shape = (units, arguments.events // 2)
    taken = 1024 * (rng.random(shape) < 0.3)
    return np.stack([taken, rng.gamma(2.0, 1500.0, shape).astype(np.int64)], axis=1)


def _fill(database: Database, trial: Trial, values: NDArray[np.int64]) -> None:
    """Write what recording each value would leave."""
    running, now = Running(trial), datetime.now(UTC)
    names = [f"user-{unit:09d}" for unit in range(len(values))]
    variants = [running.assigned(name).variant_id for name in names]
    n_events = values.shape[2]
    per_unit = values.sum(axis=2)
    for start in range(0, len(values), _UNITS_AT_ONCE):
        some = range(start, min(start + _UNITS_AT_ONCE, len(values)))
        events = values[some.start : some.stop].tolist()
        totals = per_unit[some.start : some.stop].tolist()
        keys = [
            (
                trial.number,
                names[unit],
                metric,
                events[unit - start][place],
                totals[unit - start][place],
            )
            for unit in some
            for place, metric in enumerate(_METRICS)
        ]
        with database.writing(seconds=LONG) as connection:
            exposures = [(trial.number, names[unit], variants[unit], now) for unit in some]
            insert_rows(connection, EXPOSURE, exposures)
            insert_rows(
                connection,
                EVENT,
                [
                    (number, unit, metric, str(event), value / 1024, now)
                    for number, unit, metric, own, _ in keys
                    for event, value in enumerate(own)
                ],
            )
            insert_rows(
                connection,
                UNIT_TOTAL,
                [
                    (number, unit, metric, n_events, str(Exact().plus(total, 10)))
                    for number, unit, metric, _, total in keys
                ],
            )
        print(f"{some.stop:,} of {len(values):,} units", file=sys.stderr, flush=True)
    with database.writing(seconds=LONG) as connection:
        put_rows(
            connection,
            ARM,
            {(trial.number, each): (variants.count(each),) for each in "AB"},
            "units",
        )
        put_rows(
            connection,
            AGGREGATE,
            {
                (trial.number, each, metric): _sums(
                    per_unit[np.array(variants) == each, place].tolist(), n_events
                )
                for each in "AB"
                for place, metric in enumerate(_METRICS)
            },
            *("units", "events", "events_squared", "totals"),
            *("squares", "cubes", "totals_by_events"),
        )


def _sums(totals: list[int], n_events: int) -> tuple[object, ...]:
    n = len(totals)
    exact = [
        (n * n_events**2, 0), (sum(totals), 10), (sum(each**2 for each in totals), 20),
        (sum(each**3 for each in totals), 30), (n_events * sum(totals), 10),
    ]  # fmt: skip
    return n, n * n_events, *(str(Exact().plus(*each)) for each in exact)


def _compare(url: str, arguments: argparse.Namespace) -> None:
    """Fill a small test by recording and directly; stop where a table differs."""
    values = _made(50, arguments)
    with open_database(url) as database, Trials(database) as trials:
        kept = []
        made = trials.start(trials.create(_plan(100)).test_id)
        for directly in (False, True):
            if directly:
                with database.writing() as connection:
                    for table in _FILLED:
                        connection.execute(delete(table))
                _fill(database, made, values)
            else:
                _record(database, Running(made), values)
            with database.reading() as connection:
                kept.append(
                    [
                        sorted(
                            tuple(value for name, value in row.items() if name != "at")
                            for row in connection.execute(select(table)).mappings()
                        )
                        for table in _FILLED
                    ]
                )
    if kept[0] != kept[1]:
        raise SystemExit("error: what was filled directly is not what recording leaves")


def _record(database: Database, running: Running, values: NDArray[np.int64]) -> None:
    for unit, metrics in enumerate(values.tolist()):
        name = f"user-{unit:09d}"
        seen = running.assigned(name).variant_id
        sightings = [
            running.recorded(name, seen, {metric: value / 1024}, str(event))
            for metric, own in zip(_METRICS, metrics, strict=True)
            for event, value in enumerate(own)
        ]
        with database.writing() as connection:
            write_sightings(connection, sightings)


def _milliseconds(
    ask: Callable[[], object], cpu: Callable[[], float], looks: int
) -> dict[str, float]:
    ask()
    computed, found = cpu(), []
    for _ in range(looks):
        begin = time.perf_counter()
        ask()
        found.append((time.perf_counter() - begin) * 1000)
    return {
        "median": round(statistics.median(found), 2),
        "p95": round(float(np.percentile(found, 95)), 2),
        "longest": round(max(found), 2),
        "computed": round((cpu() - computed) * 1000 / looks, 2),
    }


if __name__ == "__main__":
    main()
