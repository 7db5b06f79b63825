"""Speed and size of the detectors that hold many keys, one value at a time and many at once.

    python benchmarks/keyed_detectors.py --keys 5000 --output keyed_detectors.json

Gaussian values of the keys in turn, each with a time, after 1,100 of each key: no warm-up is left.
The best of `--rounds` rounds, in values a second of processor time, so that what else runs on the
machine counts less. Saving and loading are timed once, in milliseconds of the same. Prints JSON, or
writes it to ``--output``.
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Final

import numpy as np
from json_output import give, parser_of

from nextcall.anomaly.change_detector import ChangeDetector
from nextcall.anomaly.hampel import HampelDetector
from nextcall.anomaly.spot import SpotDetector

_WARM: Final = 1_100
_TURNS: Final = 20  # values of each key in a round, either way

_DETECTORS: Final[dict[str, Callable[[], HampelDetector | SpotDetector | ChangeDetector]]] = {
    "hampel": HampelDetector,
    "spot": SpotDetector,
    "dspot, 60 values": lambda: SpotDetector(depth=60),
    "focus": ChangeDetector,
    "cusum": lambda: ChangeDetector(method="cusum"),
    "page_hinkley": lambda: ChangeDetector(method="page_hinkley"),
}


def measure(
    detector: HampelDetector | SpotDetector | ChangeDetector, n_keys: int, rounds: int
) -> dict[str, float]:
    """Time a detector that is new."""
    rng = np.random.default_rng(0)
    keys = [f"key {number}" for number in range(n_keys)]
    now = 0.0

    def turns(count: int) -> tuple[list[float], list[float], list[str]]:
        nonlocal now
        times = np.repeat(now + np.arange(count), n_keys)
        now += count
        return rng.normal(size=count * n_keys).tolist(), times.tolist(), keys * count

    detector.score(*turns(_WARM))
    one, many = [], []
    for _ in range(rounds):
        rows = list(zip(*turns(_TURNS), strict=True))
        begin = process_time()
        for value, time, key in rows:
            detector.update(value, time, key)
        one.append(len(rows) / (process_time() - begin))
        values, times, names = turns(_TURNS)
        columns = np.array(values), np.array(times)
        begin = process_time()
        detector.score(*columns, names)
        many.append(len(names) / (process_time() - begin))
    with TemporaryDirectory() as folder:
        path = Path(folder, "state.npz")
        begin = process_time()
        detector.save(path)
        saved = process_time()
        type(detector).load(path)
        loaded = process_time()
    return {
        "bytes_per_key": detector.bytes_per_key,
        "update_per_second": round(max(one)),
        "score_per_second": round(max(many)),
        "save_ms": round(1e3 * (saved - begin), 1),
        "load_ms": round(1e3 * (loaded - saved), 1),
    }


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__, rounds=5)
    parser.add_argument("--keys", type=int, default=5_000)
    arguments = parser.parse_args()
    result = {
        "benchmark": "keyed_detectors",
        "keys": arguments.keys,
        "detectors": {
            name: measure(make(), arguments.keys, arguments.rounds)
            for name, make in _DETECTORS.items()
        },
    }
    give(result, arguments.output)


if __name__ == "__main__":
    main()
