"""One prompt asked again after each call, as an agent in a loop does: `POST /predict`.

    python benchmarks/growing_history.py --catalog data/catalogs/aws.parquet --model data/models/aws

Two services as `nextcall serve` starts them, each a process of its own: one as it is, and one whose
cache of what prompts alone decide has room for one value, so that it finds nothing there. Some
agents take turns; each keeps its prompt, a title of the AWS command line's examples, and has called
one operation more of the right service each time. Both services are asked the same, one after the
other. ``first`` is the first question of an agent, ``again`` are the nine with the same prompt and
more calls, of which the first fills the cache. Milliseconds are medians on the wall over a
connection that is kept open; ``computed`` are those of the service's processor in the mean, which
say more where others use the machine. Ratios are of the service as it is to the other. Prints JSON,
or writes it to ``--output``.
"""

import statistics
import time
from collections import defaultdict
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

import numpy as np
from cold_http import ask, connected, service
from json_output import give, parser_of, rounded
from trials_http import cpu_seconds

from nextcall.catalog import Catalog
from nextcall.sessions.awscli_examples import read_awscli_examples

_ROOM: Final = {"kept": {}, "apart": {"NEXTCALL_CACHE_ENTRIES": '{"prompt": 1}'}}
_AGENTS: Final = 8  # that take turns
_CALLS: Final = 10  # questions of each, the first without a call
_WARMING: Final = 16  # agents that are not counted


def main() -> None:
    """Measure, and print or write."""
    parser = parser_of(__doc__, seed=0)
    parser.add_argument("--catalog", type=Path, default=Path("data/catalogs/aws.parquet"))
    parser.add_argument("--model", type=Path, default=Path("data/models/aws"))
    parser.add_argument("--agents", type=int, default=80)
    arguments = parser.parse_args()
    catalog = Catalog.load(arguments.catalog)
    rng = np.random.default_rng(arguments.seed)
    agents = _agents(catalog, arguments.agents + _WARMING, rng)
    taken: dict[str, dict[str, list[tuple[float, float]]]] = {
        name: defaultdict(list) for name in _ROOM
    }
    with ExitStack() as opened:
        places = {
            name: opened.enter_context(service(arguments.catalog, arguments.model, **variables))
            for name, variables in _ROOM.items()
        }
        lines = {
            name: opened.enter_context(closing(connected(at)))
            for name, (at, _, _) in places.items()
        }
        for begin in range(0, len(agents), _AGENTS):
            for step in range(_CALLS):
                kind = "again" if step else "first"
                for request in (agent[step] for agent in agents[begin : begin + _AGENTS]):
                    for name in rng.permutation(list(_ROOM)).tolist():
                        told = _asked(lines[name], places[name][1], request)
                        if begin >= _WARMING:
                            taken[name][kind].append(told)
    give(
        {
            "benchmark": "growing_history",
            "operations": len(catalog),
            "agents": arguments.agents,
            "questions": _CALLS,
            **_summary(taken),
        },
        arguments.output,
    )


def _agents(
    catalog: Catalog, count: int, rng: np.random.Generator
) -> list[list[dict[str, object]]]:
    by_service: dict[str, list[str]] = defaultdict(list)
    for operation in catalog.operations:
        by_service[operation.service].append(operation.operation_id)
    by_prompt = {query.prompt: query for query in read_awscli_examples(catalog)}
    agents = []
    for prompt in rng.permutation(sorted(by_prompt))[:count].tolist():
        right = catalog[next(iter(by_prompt[prompt].relevant))]
        calls = rng.choice(by_service[right.service], _CALLS).tolist()
        agents.append(
            [
                {"prompt": prompt, "history": [{"api_call": call} for call in calls[:step]]}
                for step in range(_CALLS)
            ]
        )
    return agents


def _asked(line: Any, process: int, request: dict[str, object]) -> tuple[float, float]:
    computed, begin = cpu_seconds(process), time.perf_counter()
    head = ask(line, request)
    taken = time.perf_counter() - begin
    if b"x-cache: MISS" not in head:
        raise RuntimeError(f"No answer must be kept yet, got {head!r}.")
    return taken, cpu_seconds(process) - computed


def _summary(taken: dict[str, dict[str, list[tuple[float, float]]]]) -> dict[str, Any]:
    kinds = ("first", "again")
    wall = {
        name: {kind: 1000 * statistics.median(one for one, _ in told[kind]) for kind in kinds}
        for name, told in taken.items()
    }
    computed = {
        name: {kind: 1000 * statistics.fmean(one for _, one in told[kind]) for kind in kinds}
        for name, told in taken.items()
    }
    return {
        "milliseconds": _rounded(wall),
        "computed": _rounded(computed),
        "ratio": {kind: round(wall["kept"][kind] / wall["apart"][kind], 3) for kind in kinds},
        "ratio_computed": {
            kind: round(computed["kept"][kind] / computed["apart"][kind], 3) for kind in kinds
        },
        "samples": {
            "milliseconds": rounded(
                {
                    name: {kind: [1000 * one for one, _ in told[kind]] for kind in kinds}
                    for name, told in taken.items()
                }
            )
        },
    }


def _rounded(values: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {
        name: {kind: round(one, 3) for kind, one in told.items()} for name, told in values.items()
    }


if __name__ == "__main__":
    main()
