"""Milliseconds of one ``rank`` over the AWS catalogue, part by part, beside what it is made of.

One core, embedding excluded (the prompts' vectors are computed before), real prompts, with and
without two earlier calls. Beside it: an exact search of the same vectors by numpy, BM25 by bm25s,
and the trees' scores of the same 100 rows, compiled and by LightGBM; all take turns within each
round. Prints JSON, or writes it to ``--output``.
"""

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before the libraries load
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import lightgbm
import numpy as np
from json_output import give, parser_of

from nextcall.catalog.aws import read_aws
from nextcall.embedding.search import top_rows
from nextcall.locations import cache_dir, data_dir
from nextcall.ranking.candidates import retrieve
from nextcall.ranking.features import compute_features
from nextcall.ranking.model_files import load_ranker
from nextcall.sessions.awscli_examples import read_awscli_examples, with_history
from nextcall.training.opening import open_index


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__)
    parser.add_argument("--prompts", type=int, default=400)
    parser.add_argument("--model", type=Path, default=data_dir() / "models" / "aws")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rng = np.random.default_rng(0)
    catalog = read_aws()
    index = open_index(catalog, cache=cache_dir())
    ranker, _ = load_ranker(arguments.model)
    booster = lightgbm.Booster(model_str=ranker.trees_.to_text())
    every = read_awscli_examples(catalog)
    prompts = [every[i] for i in rng.choice(len(every), arguments.prompts, replace=False)]
    after = with_history(prompts, catalog, rng=rng)
    vectors = index.encode_prompts([query.prompt for query in prompts])
    taken: dict[str, list[float]] = {}

    def clock(name: str, part: Callable[[], object]) -> object:
        begin = time.perf_counter()
        made = part()
        taken.setdefault(name, []).append(1_000 * (time.perf_counter() - begin))
        return made

    for query, later, vector in zip(prompts, after, vectors, strict=True):
        clock("rank", lambda: ranker.rank(index, query.prompt, k=5, vector=vector))  # noqa: B023
        clock(
            "rank_after_two_calls",
            lambda: ranker.rank(index, later.prompt, later.history, k=5, vector=vector),  # noqa: B023
        )
        found = retrieve(index, later.prompt, later.history, vector=vector)
        alone = retrieve(index, query.prompt, vector=vector)
        clock(
            "features_100_candidates",
            lambda: compute_features(index, alone, (), ranker.prior_),  # noqa: B023
        )
        features = clock(
            "features_100_candidates_after_two_calls",
            lambda: compute_features(index, found, later.history, ranker.prior_),  # noqa: B023
        )
        clock("retrieve", lambda: retrieve(index, query.prompt, vector=vector))  # noqa: B023
        clock("trees_predict", lambda: ranker.trees_.predict(features))  # type: ignore[arg-type]  # noqa: B023
        clock("booster_predict", lambda: booster.predict(features, num_threads=1))  # type: ignore[arg-type]  # noqa: B023
        clock("numpy_exact_search", lambda: top_rows(index.vectors @ vector, 10))  # noqa: B023
        terms = index.prompt_terms(query.prompt).ids.tolist()
        clock("bm25_search", lambda: top_rows(index.lexical.bm25["text"].scores(terms), 10))  # noqa: B023
    result = {
        "benchmark": "ranking_speed",
        "operations": len(catalog),
        "prompts": len(prompts),
        "milliseconds": {
            name: {
                "p50": float(np.median(values)),
                "p95": float(np.quantile(values, 0.95)),
                "min": float(np.min(values)),
            }
            for name, values in taken.items()
        },
        "rank_to_exact_search": float(
            np.median(np.array(taken["rank"]) / np.array(taken["numpy_exact_search"]))
        ),
        "versions": {"numpy": np.__version__, "python": platform.python_version()},
    }
    give(result, arguments.output)


if __name__ == "__main__":
    main()
