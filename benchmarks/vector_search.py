"""Milliseconds and recall of the search for the nearest operations, in some ways and sizes.

    python benchmarks/vector_search.py --static DIR --apis FOLDER

Operations are AWS's, those of all Google APIs, and every catalogue in FOLDER
(``benchmarks/openapi_directory.py --save FOLDER`` writes them); their vectors are made by the
static encoder (`nextcall embed distill`), for MiniLM would take an hour. Queries are prompts of
people who use AWS, encoded likewise. Ways take turns at every query: all products by numpy, the
scan of half bytes, and the same of the nearest lists. Recall is the share of the 100 highest exact
products. One thread; CPU time beside wall time. Prints JSON, or writes it to ``--output``.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before the libraries load
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from json_output import give, parser_of
from numpy.typing import NDArray

from nextcall.catalog import Operation
from nextcall.catalog.aws import read_aws
from nextcall.catalog.google import read_google
from nextcall.catalog.load import load_catalog
from nextcall.embedding import Embedder
from nextcall.embedding.search import VectorSearch, top_rows
from nextcall.embedding.static_files import load_static
from nextcall.ranking.operation_texts import label_text, operation_text
from nextcall.sessions.awscli_examples import read_awscli_examples

Floats = NDArray[np.float32]
Found = tuple[NDArray[np.int64], Floats]

_K = 100
_NEVER = 1 << 62


def operation_vectors(embedder: Embedder, operations: Iterable[Operation]) -> Floats:
    """Encode operations as an index does: text and label, each once, and their sum to norm 1."""
    known = list(operations)
    vectors = embedder.encode([operation_text(one) for one in known])
    vectors += embedder.encode([label_text(one) for one in known])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def compared(vectors: Floats, queries: Floats) -> dict[str, object]:
    """Search by each way, by turns."""
    flat = VectorSearch(vectors, indexed_from=_NEVER)
    listed = VectorSearch(vectors, indexed_from=0)
    ways: dict[str, Callable[[Floats], Found]] = {
        "exact": lambda query: exact(vectors, query),
        "flat": lambda query: flat.top(query, _K),
        "lists": lambda query: listed.top(query, _K),
    }
    made = {}
    for name, way in ways.items():
        begin = time.process_time()
        way(queries[0])
        made[name] = time.process_time() - begin
    walls: dict[str, list[float]] = {name: [] for name in ways}
    cpus: dict[str, list[float]] = {name: [] for name in ways}
    kept: dict[str, list[float]] = {name: [] for name in ways}
    for query in queries[1:]:
        right = exact(vectors, query)[0]
        for name, way in ways.items():
            begin, cpu = time.perf_counter(), time.thread_time()
            rows, _ = way(query)
            walls[name].append(1_000 * (time.perf_counter() - begin))
            cpus[name].append(1_000 * (time.thread_time() - cpu))
            kept[name].append(float(np.isin(right, rows).mean()))
    return {
        "operations": len(vectors),
        "distinct_vectors": len(np.unique(vectors, axis=0)),
        **{
            name: {
                "p50_ms": statistics.median(walls[name]),
                "cpu_p50_ms": statistics.median(cpus[name]),
                "min_ms": min(walls[name]),
                f"recall_at_{_K}": statistics.fmean(kept[name]),
                "first_query_cpu_s": made[name],
            }
            for name in ways
        },
    }


def exact(vectors: Floats, query: Floats) -> Found:
    """Give the highest of all products."""
    scores = vectors @ query
    rows = top_rows(scores, _K)
    return rows, scores[rows]


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__)
    parser.add_argument("--static", type=Path, required=True, help="folder of a static encoder")
    parser.add_argument("--apis", type=Path, help="folder of catalogues (Parquet)")
    parser.add_argument("--sizes", type=int, nargs="*", default=[50_000, 100_000, 150_000])
    parser.add_argument("--prompts", type=int, default=400)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    embedder, _ = load_static(arguments.static)
    aws = read_aws()
    parts = [operation_vectors(embedder, aws), operation_vectors(embedder, read_google())]
    paths = sorted(arguments.apis.glob("*.parquet")) if arguments.apis else []
    parts.extend(operation_vectors(embedder, load_catalog(path)) for path in paths)
    every = np.vstack(parts)
    prompts = [query.prompt for query in read_awscli_examples(aws)]
    chosen = rng.choice(len(prompts), min(arguments.prompts, len(prompts)), replace=False)
    queries = embedder.encode([prompts[i] for i in chosen])
    compared(every[: len(aws)], queries[:5])  # compiles
    sizes = [size for size in arguments.sizes if size < len(every)]
    result: dict[str, object] = {
        "benchmark": "vector_search",
        "queries": len(queries) - 1,
        "aws": compared(every[: len(aws)], queries),
        "sizes": [
            compared(every[np.sort(rng.choice(len(every), size, replace=False))], queries)
            for size in sizes
        ]
        + [compared(every, queries)],
        "load_average": os.getloadavg()[0],
    }
    give(result, arguments.output)


if __name__ == "__main__":
    main()
