"""Microseconds to split the scores of some answers by feature, beside LightGBM's own TreeSHAP.

    python benchmarks/contribution_speed.py [--model data/models/aws]

One core; the first 3, 5, 10 and 20 answers to real prompts over the AWS catalogue, by the packaged
trees or those of another ranker. Both take turns within each round and must agree to rounding:
`Trees.contributions`, and ``Booster.predict(pred_contrib=True, num_threads=1)``. Beside it, in a
fresh process each, what the first answer costs that is split: by the loops where their code is
kept, and by LightGBM, which is loaded for it; processor's seconds and megabytes. Prints JSON, or
writes it to ``--output``.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before the libraries load
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import lightgbm
import numpy as np
from json_output import give, parser_of
from numpy.typing import NDArray

from nextcall.catalog.aws import read_aws
from nextcall.locations import cache_dir, packaged_model
from nextcall.ranking.boosting import Trees
from nextcall.ranking.model_files import load_ranker
from nextcall.sessions.awscli_examples import read_awscli_examples
from nextcall.training.opening import open_index

ANSWERS: Final = (3, 5, 10, 20)
_FIRST: Final = """
import json, sys, time
from pathlib import Path
import numpy as np
from nextcall.ranking.boosting import Trees
trees = Trees.from_text(Path(sys.argv[1]).read_text(encoding="utf-8"))
rows = np.zeros((5, len(trees.feature_names)), dtype=np.float32)
trees.predict(rows)
def megabytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
begin, held = time.process_time(), megabytes()
if sys.argv[2] == "loops":
    trees.contributions(rows)
else:
    import lightgbm
    booster = lightgbm.Booster(model_str=trees.to_text())
    booster.predict(rows, pred_contrib=True, num_threads=1)
print(json.dumps({"cpu_seconds": time.process_time() - begin, "mb": megabytes() - held}))
"""


def compare(trees: Trees, rows: list[NDArray[np.float32]], *, rounds: int) -> dict[str, float]:
    """Time both on the answers to one prompt after the other."""
    booster = lightgbm.Booster(model_str=trees.to_text())
    taken: dict[str, list[float]] = {"loops": [], "lightgbm": []}
    for turn in range(rounds):
        group = rows[turn % len(rows)]
        begin = time.perf_counter()
        ours = trees.contributions(group)
        middle = time.perf_counter()
        theirs = booster.predict(group, pred_contrib=True, num_threads=1)
        end = time.perf_counter()
        if not np.allclose(ours, np.asarray(theirs), rtol=0, atol=1e-9):
            raise RuntimeError("the loops and LightGBM must agree, they do not.")
        taken["loops"].append(1e6 * (middle - begin))
        taken["lightgbm"].append(1e6 * (end - middle))
    ratios = np.array(taken["lightgbm"]) / np.array(taken["loops"])
    return {name: round(float(np.median(values)), 1) for name, values in taken.items()} | {
        "ratio": round(float(np.median(ratios)), 2)
    }


def first_answer(trees: Trees) -> dict[str, dict[str, float]]:
    """Tell what the first answer of a process costs that is split."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "trees.txt")
        path.write_text(trees.to_text(), encoding="utf-8")
        told = {}
        for way in ("loops", "lightgbm"):
            command = [sys.executable, "-c", _FIRST, str(path), way]
            ran = subprocess.run(command, check=True, capture_output=True)
            told[way] = {key: round(value, 3) for key, value in json.loads(ran.stdout).items()}
        return told


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__, rounds=1_000)
    parser.add_argument("--prompts", type=int, default=50)
    parser.add_argument("--model", type=Path, default=packaged_model())
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    catalog = read_aws()
    index = open_index(catalog, cache=cache_dir())
    ranker, _ = load_ranker(arguments.model)
    every = read_awscli_examples(catalog)
    chosen = np.random.default_rng(0).choice(len(every), arguments.prompts, replace=False)
    answers = [ranker.rank(index, every[place].prompt, k=max(ANSWERS)) for place in chosen]
    rows = [np.stack([one.features for one in ranked]) for ranked in answers]
    trees = ranker.trees_
    result = {
        "benchmark": "contribution_speed",
        "trees": trees.n_trees,
        "microseconds": {
            f"{n} answers": compare(trees, [each[:n] for each in rows], rounds=arguments.rounds)
            for n in ANSWERS
        },
        "first": first_answer(trees),
    }
    give(result, arguments.output)


if __name__ == "__main__":
    main()
