"""What an adapted ranker costs beside its base: disk, loading, memory, and one answer.

    python benchmarks/adapted_files.py --set tau_retail

The ranker learns from all sessions of the set and is saved. A fresh process for each of both loads
it over the set's catalogue and answers once; by turns, medians of the rounds, and of the ratios
within each. Then both answer the set's prompts in one process, prompt by prompt, with vectors that
are known; CPU milliseconds and their ratio. Prints JSON, or writes it to ``--output``.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from json_output import give, parser_of

from nextcall.catalog.load import load_catalog
from nextcall.locations import cache_dir, packaged_model, shared_dir
from nextcall.ranking.adapted_files import load_adapted, save_adapted
from nextcall.ranking.model_files import load_ranker
from nextcall.sessions.jsonl import read_queries
from nextcall.training.opening import open_for_model

_PROCESS = """
import json, sys, time
from pathlib import Path
from nextcall.catalog.load import load_catalog
from nextcall.locations import cache_dir
from nextcall.ranking.any_ranker import load_any_ranker
from nextcall.serve.process.memory import memory_usage_mb
from nextcall.training.opening import open_for_model
catalog = load_catalog(Path(sys.argv[1]))
begin = time.process_time()
ranker, card = load_any_ranker(Path(sys.argv[2]))
loaded = time.process_time() - begin
index = open_for_model(catalog, Path(sys.argv[2]), card, encoder="minilm", cache=cache_dir())
ranker.answer(index, "list everything", k=5)
print(json.dumps([loaded, time.process_time() - begin, memory_usage_mb()]))
"""


def main() -> None:
    """Adapt once, save, and measure both."""
    parser = parser_of(__doc__, rounds=5, seed=0)
    parser.add_argument("--set", default="tau_retail", help="folder of the evaluation set")
    arguments = parser.parse_args()
    folder = shared_dir() / "data" / "ranking" / arguments.set
    queries = read_queries(folder / "queries.jsonl")
    base, card = load_ranker(packaged_model())
    catalog = load_catalog(folder / "catalog.jsonl")
    index = open_for_model(catalog, packaged_model(), card, encoder="minilm", cache=cache_dir())
    ranker = base.adapt(index, queries, rng=np.random.default_rng(arguments.seed))
    with TemporaryDirectory() as made:
        begin = time.process_time()
        save_adapted(ranker, Path(made), card=card, base_card=card)
        saving = time.process_time() - begin
        models = {"base": packaged_model(), "adapted": Path(made)}
        rounds = [
            {name: _started(folder / "catalog.jsonl", model) for name, model in models.items()}
            for _ in range(arguments.rounds)
        ]
        adapted, _ = load_adapted(Path(made))
        size = sum(path.stat().st_size for path in Path(made).rglob("*") if path.is_file())
    vectors = index.encode_prompts([query.prompt for query in queries])
    answers: dict[str, list[float]] = {"base": [], "adapted": []}
    for query, vector in list(zip(queries, vectors, strict=True))[:300]:
        for name, one in (("base", base), ("adapted", adapted)):
            begin = time.process_time()
            one.answer(index, query.prompt, query.history, k=5, vector=vector)
            answers[name].append(1000 * (time.process_time() - begin))
    result: dict[str, object] = {
        "queries": len(queries),
        "operations": len(index),
        "megabytes_on_disk": round(size / 1e6, 2),
        "saving_cpu_seconds": round(saving, 3),
    }
    for place, name in enumerate(("loading_cpu_seconds", "first_answer_cpu_seconds", "megabytes")):
        figures = {
            each: round(statistics.median(told[each][place] for told in rounds), 3)
            for each in models
        }
        ratio = statistics.median(told["adapted"][place] / told["base"][place] for told in rounds)
        result[name] = figures | {"ratio": round(ratio, 3)}
    figures = {name: round(statistics.median(each[20:]), 3) for name, each in answers.items()}
    ratios = np.array(answers["adapted"][20:]) / np.array(answers["base"][20:])
    result["answer_cpu_milliseconds"] = figures | {"ratio": round(float(np.median(ratios)), 3)}
    give(result, arguments.output)


def _started(catalog: Path, model: Path) -> list[float]:
    done = subprocess.run(  # ours
        [sys.executable, "-c", _PROCESS, str(catalog), str(model)],
        check=True,
        capture_output=True,
        text=True,
    )
    found: list[float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
