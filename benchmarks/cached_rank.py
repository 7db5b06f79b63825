"""Milliseconds of a ``rank`` whose prompt was encoded before, beside two rankers of tools on PyPI.

    python benchmarks/cached_rank.py --peer-python /venv/with/the/peers/bin/python

Some operations of AWS, after two calls, one core; all prompts of each by turns: `CallRanker.rank`
with the prompt's vector given; graph-tool-call's ``ToolGraph.retrieve(prompt, history=...)``, which
encodes nothing; LangGraph BigTool's own retrieval function over langgraph's ``InMemoryStore`` of
the same MiniLM vectors, whose embedding function looks the prompt's vector up, too. The peers run
in a process of their own, where they are installed; langgraph asks for numpy beside it. ``times``
says how many of our answers one of theirs takes, of each round's medians. Prints JSON, or writes it
to ``--output``.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before the libraries load
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from cold_rank import part_of, seconds_of, summary, tool, tool_name
from json_output import give, parser_of, rounded

from nextcall.catalog.aws import read_aws
from nextcall.locations import cache_dir, packaged_model
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.model_files import load_ranker
from nextcall.sessions import Query
from nextcall.sessions.awscli_examples import read_awscli_examples, with_history
from nextcall.training.opening import open_index

_PEERS = """
import json, sys, time
from importlib.metadata import version
told = json.loads(sys.stdin.readline())
peers, versions = {}, {}
try:
    from graph_tool_call import ToolGraph
    graph = ToolGraph()
    graph.add_tools(told["tools"])
    def graph_tool_call(asked):
        graph.retrieve(asked["prompt"], top_k=5, history=asked["history"])
    peers["graph_tool_call"] = graph_tool_call
    versions["graph_tool_call"] = version("graph-tool-call")
except ImportError:
    pass
try:
    import numpy
    from langgraph.store.memory import InMemoryStore
    from langgraph_bigtool.tools import get_default_retrieval_tool
    texts = [each["name"] + ": " + each["description"] for each in told["tools"]]
    vectors = numpy.load(told["vectors"]).tolist()
    known = dict(zip(texts + told["prompts"], vectors))
    def embed(asked):
        return [known[text] for text in asked]
    store = InMemoryStore(index={"embed": embed, "dims": len(vectors[0]), "fields": ["text"]})
    for each, text in zip(told["tools"], texts):
        store.put(("tools",), each["name"], {"text": text})
    retrieve, _ = get_default_retrieval_tool(("tools",), limit=5)
    def langgraph_bigtool(asked):
        retrieve(asked["prompt"], store=store)
    peers["langgraph_bigtool"] = langgraph_bigtool
    versions["langgraph_bigtool"] = version("langgraph-bigtool")
except ImportError:
    pass
print(json.dumps(versions), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    begin, cpu = time.perf_counter(), time.process_time()
    peers[asked["peer"]](asked)
    print(json.dumps([time.perf_counter() - begin, time.process_time() - cpu]), flush=True)
"""


class Peers:
    """The peers over a catalogue, in a process of their own."""

    def __init__(self, python: str, index: CatalogIndex, prompts: list[str], folder: Path) -> None:
        self._process = subprocess.Popen(
            [python, "-c", _PEERS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        )
        vectors = folder / "vectors.npy"
        encoded = index.embedder.encode(prompts)
        np.save(vectors, np.concatenate([index.text_vectors, encoded]))
        tools = [tool(index.catalog, row) for row in range(len(index))]
        told = {"tools": tools, "prompts": prompts, "vectors": str(vectors)}
        self.versions: dict[str, str] = self._ask(told)

    def retrieve(self, peer: str, query: Query) -> tuple[float, float]:
        """Give the wall and CPU seconds of one answer."""
        called = [tool_name(call.operation_id) for call in query.history]
        wall, cpu = self._ask({"peer": peer, "prompt": query.prompt, "history": called})
        return wall, cpu

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _ask(self, value: object) -> Any:  # JSON
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the peers' pipes are closed.")
        print(json.dumps(value), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__, rounds=5)
    parser.add_argument("--operations", type=int, default=1_000)
    parser.add_argument("--prompts", type=int, default=20, help="of each round")
    parser.add_argument("--model", type=Path, default=packaged_model())
    parser.add_argument("--peer-python", default=sys.executable)
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rng = np.random.default_rng(0)
    catalog = read_aws()
    every = read_awscli_examples(catalog)
    index = open_index(part_of(catalog, arguments.operations), cache=cache_dir())
    ranker, _ = load_ranker(arguments.model)
    answered = [query for query in every if query.relevant[0] in index.catalog]
    chosen = rng.choice(len(answered), arguments.prompts, replace=False)
    queries = with_history([answered[place] for place in chosen], index.catalog, rng=rng)
    vectors = index.embedder.encode([query.prompt for query in queries])
    with TemporaryDirectory() as folder:
        prompts = sorted({query.prompt for query in queries})
        peers = Peers(arguments.peer_python, index, prompts, Path(folder))
    names = ["nextcall", *peers.versions]
    rounds: list[dict[str, dict[str, float]]] = []
    for _ in range(arguments.rounds + 1):  # the first warms
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
        for query, vector in zip(queries, vectors, strict=True):
            taken["nextcall"].append(
                seconds_of(
                    lambda: ranker.rank(index, query.prompt, query.history, vector=vector)  # noqa: B023  # called now
                )
            )
        for name in peers.versions:
            taken[name] = [peers.retrieve(name, query) for query in queries]
        rounds.append({name: summary(each) for name, each in taken.items()})
    peers.close()
    measured = rounds[1:]

    def median(name: str, figure: str) -> float:
        return round(statistics.median(each[name][figure] for each in measured), 3)

    def times(name: str, figure: str) -> float:
        ratios = [each[name][figure] / each["nextcall"][figure] for each in measured]
        return round(statistics.median(ratios), 1)

    give(
        {
            "benchmark": "cached_rank",
            "operations": len(index),
            "prompts": len(queries),
            "versions": peers.versions,
            "milliseconds": {
                name: {figure: median(name, figure) for figure in measured[0][name]}
                for name in names
            },
            "times": {name: times(name, "p50") for name in peers.versions},
            "times_by_cpu": {name: times(name, "cpu_p50") for name in peers.versions},
            "samples": {
                "milliseconds": {
                    name: {
                        figure: rounded([each[name][figure] for each in measured])
                        for figure in measured[0][name]
                    }
                    for name in names
                }
            },
        },
        arguments.output,
    )


if __name__ == "__main__":
    main()
