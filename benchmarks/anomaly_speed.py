"""Values a second of the named detectors, beside PyPI's libspot and river.

    python benchmarks/anomaly_speed.py --peer-python /venv/with/libspot/and/river/bin/python

One core, 5,000 keys in turn: one value at a time (``stream``: the key's `Stream` by name from a
dict, then its ``update``; ``update`` and ``check`` of the monitor, with the names), a frame at
once (names as text, and as categories), saving and loading. The peers step one object a key, by
name from a dict like ``stream`` and by turns with ours, in a process of their own: one detector
each (libspot's ``Spot.step``; river's ``GaussianScorer`` over all values, and ``_288`` over a
window of as many), where they are installed. CPU time (saving: wall); the median of the rounds, of
ratios that of each round's. Prints JSON, or writes it to ``--output``.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before the libraries load

import numpy as np
import pandas as pd
from json_output import give, parser_of

from nextcall.anomaly.monitor import AnomalyMonitor
from nextcall.anomaly.monitor_stream import Stream

_PEERS = """
import json, random, sys, time
n_keys, n_values = json.loads(sys.stdin.readline())
random.seed(0)
values = [random.gauss(100, 5) for _ in range(n_values)]
names = [f"entity-{key}" for key in range(n_keys)]
peers = {}
try:
    from libspot import Spot
    spots = {name: Spot(q=1 / 600) for name in names}
    for spot in spots.values():
        spot.fit([random.gauss(100, 5) for _ in range(500)])
    def libspot(place):
        spots[names[place % n_keys]].step(values[place])
    peers["libspot"] = libspot
except ImportError:
    pass
try:
    from river.anomaly import GaussianScorer
    def river(scorers):
        def step(place):
            scorer = scorers[names[place % n_keys]]
            scorer.score_one(None, values[place])
            scorer.learn_one(None, values[place])
        return step
    peers["river_gaussian"] = river({name: GaussianScorer() for name in names})
    peers["river_gaussian_288"] = river({name: GaussianScorer(window_size=288) for name in names})
    for place in range(300 * n_keys):  # fills the windows
        peers["river_gaussian_288"](place % n_values)
except ImportError:
    pass
print(json.dumps(sorted(peers)), flush=True)
for line in sys.stdin:
    step = peers[json.loads(line)]
    begin = time.process_time()
    for place in range(n_values):
        step(place)
    print(json.dumps(time.process_time() - begin), flush=True)
"""


class Peers:
    """Peers in a process of their own."""

    def __init__(self, python: str, n_keys: int, n_values: int) -> None:
        self._process = subprocess.Popen(
            [python, "-c", _PEERS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        )
        self.names: list[str] = self.ask([n_keys, n_values])

    def ask(self, value: object) -> Any:  # JSON
        """Send a line, and read one."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the peers' pipes are closed.")
        print(json.dumps(value), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def _seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def _streamed(streams: dict[str, Stream], values: Sequence[float], names: Sequence[str]) -> float:
    n_keys = len(names)

    def step(place: int) -> None:
        streams[names[place % n_keys]].update(values[place])

    def work() -> None:
        for place in range(len(values)):
            step(place)

    return _seconds(work)


def _one_by_one(
    check: Callable[[str, float, str], object], values: Sequence[float], names: Sequence[str]
) -> float:
    n_keys = len(names)

    def step(place: int) -> None:
        check("latency", values[place], names[place % n_keys])

    def work() -> None:
        for place in range(len(values)):
            step(place)

    return _seconds(work)


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__, rounds=5)
    parser.add_argument("--keys", type=int, default=5_000)
    parser.add_argument("--points", type=int, default=200_000)
    parser.add_argument("--peer-python", default=sys.executable)
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    values = np.random.default_rng(0).normal(100, 5, arguments.points)
    names = [f"entity-{key}" for key in range(arguments.keys)]
    entities = [names[place % arguments.keys] for place in range(arguments.points)]
    frame = pd.DataFrame({"metric": "latency", "value": values, "entity": entities})
    monitor = AnomalyMonitor()
    for _ in range(1 + 128 * arguments.keys // arguments.points):  # past the warm-up
        monitor.check_frame(frame)
    categories = frame.astype({"metric": "category", "entity": "category"})
    streams = {name: monitor.stream("latency", name) for name in names}
    peers = Peers(arguments.peer_python, arguments.keys, arguments.points)
    taken: dict[str, list[float]] = {}
    listed = values.tolist()
    for _ in range(arguments.rounds):
        round_ = {
            "stream": _streamed(streams, listed, names),
            **{name: float(peers.ask(name)) for name in peers.names},
            "update": _one_by_one(monitor.update, listed, names),
            "check": _one_by_one(monitor.check, listed, names),
            "check_frame": _seconds(lambda: monitor.check_frame(frame)),
            "check_frame_of_categories": _seconds(lambda: monitor.check_frame(categories)),
            "update_frame": _seconds(lambda: monitor.update_frame(frame)),
            "update_frame_of_categories": _seconds(lambda: monitor.update_frame(categories)),
        }
        for name, seconds in round_.items():
            taken.setdefault(name, []).append(seconds)
    peers.close()
    with TemporaryDirectory() as folder:
        path = Path(folder, "state.npz")
        kept = []
        for _ in range(arguments.rounds):
            begin = time.perf_counter()
            monitor.save(path)
            AnomalyMonitor.load(path)
            kept.append(1_000 * (time.perf_counter() - begin))
    rates = {name: arguments.points / statistics.median(each) for name, each in taken.items()}

    def times_as_fast(one: str, other: str) -> float:
        return statistics.median(b / a for a, b in zip(taken[one], taken[other], strict=True))

    result: dict[str, object] = {
        "benchmark": "anomaly_speed",
        "keys": len(monitor),
        "points": arguments.points,
        "points_per_second": {name: round(rate) for name, rate in rates.items()},
        "stream_over": {name: times_as_fast("stream", name) for name in peers.names},
        "update_frame_over_stream": times_as_fast("update_frame", "stream"),
        "update_frame_of_categories_over_stream": times_as_fast(
            "update_frame_of_categories", "stream"
        ),
        "check_frame_over_stream": times_as_fast("check_frame", "stream"),
        "check_frame_over_check": times_as_fast("check_frame", "check"),
        "bytes_per_key": monitor.bytes_per_key,
        "save_and_load_milliseconds": statistics.median(kept),
        "load_average": os.getloadavg()[0],
    }
    give(result, arguments.output)


if __name__ == "__main__":
    main()
