"""CPU time of training, beside raw ``lightgbm.train`` on the same rows with the same options.

129,000 rows of 11 features in 16,125 queries, 100 trees of 31 leaves, one thread. The two take
turns; the figures are CPU seconds, and the ratio is the median over the rounds. Prints JSON, or
writes it to ``--output``.
"""

import os
import platform
import statistics
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before LightGBM: waiting threads do not spin
os.environ.setdefault("OMP_NUM_THREADS", "1")

import lightgbm
import numpy as np
from json_output import give, parser_of

from nextcall.ranking.boosting import BoostingSettings, RankingRows, train_trees

_QUERIES, _ROWS, _FEATURES = 16_125, 8, 11


def made_rows(rng: np.random.Generator) -> RankingRows:
    """Make queries whose relevance depends on three features and chance."""
    x = rng.normal(size=(_QUERIES * _ROWS, _FEATURES)).astype(np.float32)
    utility = x[:, 0] + 0.5 * x[:, 1] * x[:, 2] + rng.normal(size=len(x))
    best = utility.reshape(_QUERIES, _ROWS).argmax(axis=1)
    relevance = np.zeros((_QUERIES, _ROWS), dtype=np.int8)
    relevance[np.arange(_QUERIES), best] = 1
    return RankingRows(x, relevance.ravel(), np.full(_QUERIES, _ROWS))


def raw(rows: RankingRows) -> None:
    """Train as LightGBM's documentation does."""
    data = lightgbm.Dataset(rows.features, label=rows.relevance, group=rows.group_sizes)
    options = {
        "objective": "lambdarank",
        "num_leaves": 31,
        "num_threads": 1,
        "verbosity": -1,
    }
    lightgbm.train(options, data, num_boost_round=100)


def ours(rows: RankingRows) -> None:
    """Train as the ranker does, shuffling and the copy that is kept included."""
    names = [f"feature_{i}" for i in range(_FEATURES)]
    settings = BoostingSettings(trees=100, leaves=31)
    train_trees(rows, settings=settings, rng=np.random.default_rng(0), feature_names=names)


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__, rounds=5)
    arguments = parser.parse_args()
    rows = made_rows(np.random.default_rng(0))
    times: dict[str, list[float]] = {"ours": [], "raw": []}
    for _ in range(arguments.rounds):
        for name, train in (("ours", ours), ("raw", raw)):
            begin = time.process_time()
            train(rows)
            times[name].append(time.process_time() - begin)
    pairs = zip(times["ours"], times["raw"], strict=True)
    result = {
        "benchmark": "training_speed",
        "rows": _QUERIES * _ROWS,
        "features": _FEATURES,
        "cpu_seconds": statistics.median(times["ours"]),
        "cpu_seconds_lightgbm": statistics.median(times["raw"]),
        "ratio": statistics.median(a / b for a, b in pairs),
        "rounds": arguments.rounds,
        "versions": {"lightgbm": lightgbm.__version__, "python": platform.python_version()},
    }
    give(result, arguments.output)


if __name__ == "__main__":
    main()
