"""Milliseconds of a cold ``rank``, embedding included, beside PyPI's graph-tool-call.

    python benchmarks/cold_rank.py --static DIR --peer-python /venv/with/graph-tool-call/bin/python

Every prompt is new to the process. One core; wall and CPU time. Over the whole AWS catalogue with
the static encoder (`nextcall embed distill` makes one) and with MiniLM; and over 1,000 of its
operations after two calls, in turns with ``ToolGraph.retrieve(prompt, history=...)``, which runs in
a process of its own. What is not there is left out. Prints JSON, or writes it to ``--output``.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before the libraries load
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from json_output import give, parser_of

from nextcall.catalog import Catalog
from nextcall.catalog.aws import read_aws
from nextcall.embedding import Embedder
from nextcall.embedding.static_files import load_static
from nextcall.locations import cache_dir, packaged_model
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.model_files import load_ranker
from nextcall.ranking.ranker import CallRanker
from nextcall.sessions import Query
from nextcall.sessions.awscli_examples import read_awscli_examples, with_history
from nextcall.training.opening import open_index

_PEER_OPERATIONS = 1_000
_PEER = """
import json, sys, time
from graph_tool_call import ToolGraph
graph = ToolGraph()
graph.add_tools(json.loads(sys.stdin.readline()))
print(json.dumps(len(graph.tools)), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    begin, cpu = time.perf_counter(), time.process_time()
    graph.retrieve(asked["prompt"], top_k=5, history=asked["history"])
    print(json.dumps([time.perf_counter() - begin, time.process_time() - cpu]), flush=True)
"""


class Peer:
    """graph-tool-call over a catalogue, in a process of its own."""

    def __init__(self, python: str, catalog: Catalog) -> None:
        self._process = subprocess.Popen(
            [python, "-c", _PEER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        )
        self.n_tools = self._ask([tool(catalog, row) for row in range(len(catalog))])

    def retrieve(self, query: Query) -> tuple[float, float]:
        """Give the wall and CPU seconds of one answer."""
        called = [tool_name(call.operation_id) for call in query.history]
        wall, cpu = self._ask({"prompt": query.prompt, "history": called})
        return wall, cpu

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _ask(self, value: object) -> Any:  # JSON
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the peer's pipes are closed.")
        print(json.dumps(value), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


def part_of(catalog: Catalog, count: int) -> Catalog:
    """Take so many operations, evenly spread over a catalogue."""
    chosen = [operation.operation_id for operation in catalog][:: len(catalog) // count]
    return catalog.subset(chosen[:count], name=f"some of {catalog.name}")


def tool_name(operation_id: str) -> str:
    """Give the name of an operation as a tool."""
    return operation_id.replace(":", "_")


def tool(catalog: Catalog, row: int) -> dict[str, object]:
    """Describe an operation as a tool of MCP."""
    operation = catalog.operations[row]
    names = {parameter.name: {"type": "string"} for parameter in operation.parameters}
    required = [parameter.name for parameter in operation.parameters if parameter.required]
    return {
        "name": tool_name(operation.operation_id),
        "description": operation.description[:300],
        "inputSchema": {"type": "object", "properties": names, "required": required},
    }


def seconds_of(answer: Callable[[], object]) -> tuple[float, float]:
    """Give the wall and CPU seconds of a call."""
    begin, cpu = time.perf_counter(), time.process_time()
    answer()
    return time.perf_counter() - begin, time.process_time() - cpu


def summary(taken: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Sum up wall and CPU seconds, in milliseconds."""
    walls, cpus = ([1_000 * value for value in values] for values in zip(*taken, strict=True))
    return {
        "p50": statistics.median(walls),
        "p95": float(np.quantile(walls, 0.95)),
        "min": min(walls),
        "cpu_p50": statistics.median(cpus),
    }


def cold(
    ranker: CallRanker, index: CatalogIndex, embedder: Embedder, queries: Sequence[Query]
) -> dict[str, float]:
    """Rank prompts that this index was never asked, after twenty others."""
    index.embedder = embedder
    for query in queries[:20]:
        ranker.rank(index, query.prompt, query.history)
    return summary(
        [seconds_of(lambda: ranker.rank(index, q.prompt, q.history)) for q in queries[20:]]  # noqa: B023  # called now
    )


def beside_peer(
    ranker: CallRanker, index: CatalogIndex, queries: Sequence[Query], python: str
) -> dict[str, object]:
    """Rank by turns with graph-tool-call, after two calls."""
    peer = Peer(python, index.catalog)
    ranker.rank(index, queries[0].prompt, queries[0].history)
    peer.retrieve(queries[0])
    ours, theirs = [], []
    for query in queries[1:]:
        ours.append(seconds_of(lambda: ranker.rank(index, query.prompt, query.history)))  # noqa: B023
        theirs.append(peer.retrieve(query))
    peer.close()
    return {
        "operations": len(index),
        "tools_of_peer": peer.n_tools,
        "nextcall": summary(ours),
        "graph_tool_call": summary(theirs),
        "ratio": summary(ours)["p50"] / summary(theirs)["p50"],
    }


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__)
    parser.add_argument("--static", type=Path, help="folder of a static encoder")
    parser.add_argument("--model", type=Path, default=packaged_model())
    parser.add_argument("--prompts", type=int, default=400)
    parser.add_argument("--peer-prompts", type=int, default=20)
    parser.add_argument("--peer-python", default=sys.executable)
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rng = np.random.default_rng(0)
    catalog = read_aws()
    index = open_index(catalog, cache=cache_dir())
    ranker, _ = load_ranker(arguments.model)
    every = read_awscli_examples(catalog)
    alone = [every[i] for i in rng.choice(len(every), 2 * arguments.prompts, replace=False)]
    after = with_history(alone, catalog, rng=rng)
    embedders: dict[str, Embedder] = {"minilm": index.embedder}
    if arguments.static is not None:
        embedders["static"] = load_static(arguments.static)[0]
    half = arguments.prompts
    milliseconds = {
        f"{name}{suffix}": cold(ranker, index, embedder, queries)
        for name, embedder in embedders.items()
        for suffix, queries in (("", alone[:half]), ("_after_two_calls", after[half:]))
    }
    result: dict[str, object] = {
        "benchmark": "cold_rank",
        "operations": len(catalog),
        "prompts": half - 20,
        "milliseconds": milliseconds,
    }
    if arguments.peer_python != sys.executable or find_spec("graph_tool_call"):
        part = index.subset(part_of(catalog, _PEER_OPERATIONS))
        part.embedder = embedders.get("static", part.embedder)
        answered = [query for query in every if query.relevant[0] in part.catalog]
        asked = with_history(answered[: arguments.peer_prompts], part.catalog, rng=rng)
        result["beside_peer"] = beside_peer(ranker, part, asked, arguments.peer_python)
    result["load_average"] = os.getloadavg()[0]
    give(result, arguments.output)


if __name__ == "__main__":
    main()
