"""Rows a second of an A/B test's analysis, beside a chunked Gram matrix, tea-tasting and DuckDB.

    python benchmarks/analysis_speed.py --peer-python /venv/with/tea-tasting/and/polars/bin/python

Two variants, three metrics with one covariate each: six columns of floats. Our `analyze` on a
frame whose variant is categorical (units promised unique), the same over 30 strata, as text, and
with the uniqueness of integer units checked; DuckDB through `analyze` of an Ibis table; a Gram
matrix of numpy in chunks, each variant's rows gathered, which is what the analysis cannot do
without; tea-tasting of the same metrics on polars, in a process of its own. One thread; median
wall time of the rounds, by turns.
Extra memory: the highest resident size while it runs, looked at each millisecond in a process
that does nothing else, less that before it (Linux).
Prints JSON, or writes it to ``--output``.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before the libraries load

import ibis
import numpy as np
import pandas as pd
from json_output import give, parser_of

from nextcall.abtest.analysis import analyze
from nextcall.abtest.measured import Summed
from nextcall.abtest.metrics import Mean

_METRICS: tuple[Summed, ...] = tuple(Mean(f"y{k}", covariate=f"x{k}") for k in range(3))
_NAMES = [name for metric in _METRICS for name in metric.columns]
_CHUNK = 1 << 16

_PEAK = """
import resource, threading, time
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20
def peak(work):
    before, seen, done = resident(), [0.0], threading.Event()
    def watch():
        while not done.is_set():
            seen.append(resident())
            time.sleep(0.001)
    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return max(0.0, max(seen) - before)
"""

_PEER = """
import json, os, sys
os.environ["POLARS_MAX_THREADS"] = "1"
import polars, tea_tasting
from numpy.random import default_rng
n = int(sys.argv[1])
rng = default_rng(0)
columns = {name: rng.normal(10, 2, n) for name in ("y0", "x0", "y1", "x1", "y2", "x2")}
columns["variant"] = rng.integers(0, 2, n).astype("int8")
rows = polars.DataFrame(columns)
del columns
metrics = {f"y{k}": tea_tasting.Mean(f"y{k}", f"x{k}") for k in range(3)}
experiment = tea_tasting.Experiment(metrics, variant="variant")
experiment.analyze(rows[:1000])
extra = peak(lambda: experiment.analyze(rows))
print("ready", flush=True)
for _ in sys.stdin:
    begin = time.perf_counter()
    experiment.analyze(rows)
    print(json.dumps([time.perf_counter() - begin, extra]), flush=True)
"""


def _frame(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: rng.normal(10, 2, n) for name in _NAMES})
    codes = rng.integers(0, 2, n).astype(np.int8)
    frame["variant"] = pd.Categorical.from_codes(codes, pd.Index(["A", "B"]))
    frame["user"] = rng.permutation(n)
    codes = rng.integers(0, 30, n).astype(np.int8)
    frame["country"] = pd.Categorical.from_codes(codes, pd.Index([f"c{k}" for k in range(30)]))
    return frame


def _gram(frame: pd.DataFrame) -> list[np.ndarray]:
    columns = [frame[name].to_numpy() for name in _NAMES]
    codes = frame["variant"].cat.codes.to_numpy()
    found = [np.zeros((len(columns) + 1, len(columns) + 1)) for _ in range(2)]
    for begin in range(0, len(codes), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        for code in range(2):
            own = np.flatnonzero(codes[part] == code)
            rows = np.empty((len(columns) + 1, len(own)))
            for place, column in enumerate(columns):
                np.take(column[part], own, out=rows[place])
            rows[-1] = 1.0
            found[code] += rows @ rows.T
    return found


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _extra_megabytes(n: int) -> float:
    """Run `analyze` alone in a process of its own."""
    code = _PEAK + (
        "import sys; sys.path.insert(0, sys.argv[2]); import analysis_speed as each\n"
        "frame = each._frame(int(sys.argv[1])); del frame['user'], frame['country']\n"
        "each._analyze(frame[:1000])\n"
        "print(peak(lambda: each._analyze(frame)))"
    )
    command = [sys.executable, "-c", code, str(n), str(Path(__file__).parent)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _analyze(data: object, *, unit: str | None = None, strata: str | None = None) -> object:
    return analyze(data, control="A", metrics=_METRICS, unit=unit, strata=strata)


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__, rounds=5)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--peer-python")
    arguments = parser.parse_args()
    frame = _frame(arguments.rows)
    text = frame["variant"].astype("str")
    connection = ibis.duckdb.connect(threads=1)
    connection.con.register("frame", frame.drop(columns=["user", "country"]))
    connection.raw_sql("CREATE TABLE rows AS SELECT * FROM frame")
    table = connection.table("rows")
    _analyze(frame[:1000])
    ways: dict[str, Callable[[], object]] = {
        "gram": lambda: _gram(frame),
        "analyze": lambda: _analyze(frame),
        "analyze_strata": lambda: _analyze(frame, strata="country"),
        "analyze_text_variants": lambda: _analyze(frame.assign(variant=text)),
        "analyze_units_checked": lambda: _analyze(frame, unit="user"),
        "analyze_duckdb": lambda: _analyze(table),
    }
    taken: dict[str, list[float]] = {}
    memory = {"analyze": _extra_megabytes(arguments.rows)}
    peer = None
    if arguments.peer_python:
        command = [arguments.peer_python, "-c", _PEAK + _PEER, str(arguments.rows)]
        peer = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        _line(peer)
    for _ in range(arguments.rounds):
        for name, work in ways.items():
            taken.setdefault(name, []).append(_seconds(work))
        if peer is not None and peer.stdin is not None:
            print("go", file=peer.stdin, flush=True)
            seconds, megabytes = json.loads(_line(peer))
            taken.setdefault("tea_tasting_polars", []).append(seconds)
            memory["tea_tasting_polars"] = megabytes
    if peer is not None:
        peer.communicate()
    result = {
        "benchmark": "analysis_speed",
        "rows": arguments.rows,
        "seconds": {name: statistics.median(each) for name, each in taken.items()},
        "times_gram": {
            name: statistics.median(a / b for a, b in zip(each, taken["gram"], strict=True))
            for name, each in taken.items()
        },
        "extra_megabytes": memory,
        "load_average": os.getloadavg()[0],
    }
    give(result, arguments.output)


def _line(peer: "subprocess.Popen[str]") -> str:
    if peer.stdout is None:
        raise RuntimeError("the peer's pipe is closed.")
    return peer.stdout.readline()


if __name__ == "__main__":
    main()
