"""Microseconds to score the candidates of one query: compiled trees beside LightGBM's own.

One core; 50 rows by 100 trees and 100 rows by 200 trees of 31 leaves over 62 features, grown on
rows of the kind that is scored. Both take turns within each round and must agree to the last bit.
Beside it, in fresh processes, what the first prediction costs where compiled code is kept and
where it is not. Prints JSON, or writes it to ``--output``.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before the libraries load
os.environ.setdefault("OMP_NUM_THREADS", "1")

import lightgbm
import numba
import numpy as np
from json_output import give, parser_of
from numpy.typing import NDArray

from nextcall.ranking.boosting import BoostingSettings, RankingRows, Trees, train_trees
from nextcall.ranking.compiled_trees import CompiledTrees

N_FEATURES: Final = 62
SIZES: Final = ((50, 100), (100, 100), (100, 200))
_FIRST: Final = """
import json, sys, time
from pathlib import Path
import numpy as np
from nextcall.ranking.boosting import Trees
trees = Trees.from_text(Path(sys.argv[1]).read_text(encoding="utf-8"))
begin = time.process_time()
import numba
imported = time.process_time()
trees.predict(np.zeros((100, len(trees.feature_names)), dtype=np.float32))
done = time.process_time()
print(json.dumps({"import_numba": imported - begin, "first_prediction": done - imported}))
"""


def rows_of_queries(n_queries: int, *, seed: int) -> RankingRows:
    """Rows as a ranker sees them: similarities, counts, flags, and values that are not known."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n_queries * 100, N_FEATURES)).astype(np.float32)
    rows[:, 20:40] = np.floor(np.abs(rows[:, 20:40]) * 3)
    rows[:, 40:52] = rows[:, 40:52] > 1
    rows[np.repeat(rng.random(n_queries) < 0.5, 100), 52:] = np.nan
    signal = rows[:, 0] + rows[:, 20] * rows[:, 40] + np.nan_to_num(rows[:, 52])
    best = (signal + rng.normal(size=len(rows))).reshape(n_queries, 100).argmax(axis=1)
    relevance = np.zeros((n_queries, 100), dtype=np.int8)
    relevance[np.arange(n_queries), best] = 1
    return RankingRows(rows, relevance.ravel(), np.full(n_queries, 100))


def grown(n_trees: int) -> Trees:
    """Trees of the default shape."""
    return train_trees(
        rows_of_queries(300, seed=0),
        settings=BoostingSettings(trees=n_trees, min_rows_in_leaf=5),
        rng=np.random.default_rng(0),
        feature_names=[f"f{i}" for i in range(N_FEATURES)],
    )


def compare(trees: Trees, rows: NDArray[np.float32], *, rounds: int) -> dict[str, float]:
    """Time both on groups of rows, one after the other."""
    booster = lightgbm.Booster(model_str=trees.to_text())
    trees.predict(rows[0])
    taken: dict[str, list[float]] = {"compiled": [], "booster": []}
    for turn in range(rounds):
        group = rows[turn % len(rows)]
        begin = time.perf_counter()
        ours = trees.predict(group)
        middle = time.perf_counter()
        theirs = booster.predict(group, num_threads=1)
        end = time.perf_counter()
        if not np.array_equal(ours, np.asarray(theirs)):
            raise RuntimeError("compiled trees and LightGBM must agree, they do not.")
        taken["compiled"].append(1e6 * (middle - begin))
        taken["booster"].append(1e6 * (end - middle))
    ratios = np.array(taken["compiled"]) / np.array(taken["booster"])
    return {name: float(np.median(values)) for name, values in taken.items()} | {
        "ratio": float(np.median(ratios))
    }


def first_prediction(trees: Trees) -> dict[str, dict[str, float]]:
    """CPU seconds that the first prediction of a process takes, without and with kept code."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trees.txt")
        path.write_text(trees.to_text(), encoding="utf-8")
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}
        command = [sys.executable, "-c", _FIRST, str(path)]
        return {
            kept: json.loads(
                subprocess.run(command, check=True, capture_output=True, env=environment).stdout
            )
            for kept in ("nothing_kept", "code_kept")
        }


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__, rounds=1_000)
    parser.add_argument("--model", type=Path, help="LightGBM's text of other trees to time too")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    queries = rows_of_queries(50, seed=1).features.reshape(50, 100, N_FEATURES)
    ensembles = {n_trees: grown(n_trees) for n_trees in sorted({size[1] for size in SIZES})}
    microseconds = {
        f"{n_rows}_rows_{n_trees}_trees": compare(
            ensembles[n_trees], queries[:, :n_rows], rounds=arguments.rounds
        )
        for n_rows, n_trees in SIZES
    }
    if arguments.model is not None:
        given = Trees.from_text(arguments.model.read_text(encoding="utf-8"))
        rows = np.random.default_rng(2).normal(size=(50, 100, len(given.feature_names)))
        microseconds[f"100_rows_{given.n_trees}_trees_given"] = compare(
            given, rows.astype(np.float32), rounds=arguments.rounds
        )
    text = ensembles[SIZES[-1][1]].to_text()
    begin = time.process_time()
    CompiledTrees.from_text(text)
    flattened = time.process_time() - begin
    result = {
        "benchmark": "scoring_speed",
        "microseconds": microseconds,
        "flatten_200_trees_cpu_seconds": flattened,
        "first_call_cpu_seconds": first_prediction(ensembles[SIZES[-1][1]]),
        "versions": {
            "lightgbm": lightgbm.__version__,
            "numba": numba.__version__,
            "python": platform.python_version(),
        },
    }
    give(result, arguments.output)


if __name__ == "__main__":
    main()
