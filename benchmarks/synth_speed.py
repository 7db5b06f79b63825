"""Calls a second of the bare Markov chain, beside the plain Python loop; and a whole simulation.

The two walk the same chain, taking turns, on one core; the figures are CPU time, and the ratio is
the median over the rounds. Prints JSON, or writes it to ``--output``.
"""

import platform
import statistics
import time
from bisect import bisect
from itertools import accumulate
from pathlib import Path

import numpy as np
from json_output import give, parser_of

from nextcall.catalog import Catalog
from nextcall.catalog.load import load_catalog
from nextcall.synth import Noise, SimulationSettings, Workflow, simulate
from nextcall.synth.chain import walk_chain


def plain_loop(workflow: Workflow, n_sessions: int, rng: np.random.Generator) -> int:
    """Walk the chain as one would write it first: call after call, session after session."""
    start = list(accumulate(workflow.start.tolist()))
    rows = [list(accumulate(row)) for row in workflow.matrix.tolist()]
    end = len(start)
    sessions = []
    for _ in range(n_sessions):
        state = min(bisect(start, rng.random()), end - 1)
        calls = []
        while state < end:
            calls.append(state)
            state = min(bisect(rows[state], rng.random()), end)
        sessions.append(calls)
    return sum(len(calls) for calls in sessions)


def vectorised(workflow: Workflow, n_sessions: int, rng: np.random.Generator) -> int:
    """Walk the chain with the package's kernel."""
    states, _ = walk_chain(workflow.start, workflow.matrix, n_sessions, rng=rng)
    return len(states)


def chain_speed(rounds: int, n_sessions: int) -> dict[str, float]:
    """Time both, by turns, each for as many sessions."""
    workflow = Workflow()
    ours: list[float] = []
    theirs: list[float] = []
    for seed in range(rounds):
        for kernel, rates in ((vectorised, ours), (plain_loop, theirs)):
            begin = time.process_time()
            calls = kernel(workflow, n_sessions, np.random.default_rng(seed))
            rates.append(calls / (time.process_time() - begin))
    return {
        "calls_per_second": statistics.median(ours),
        "calls_per_second_plain_loop": statistics.median(theirs),
        "ratio": statistics.median(a / b for a, b in zip(ours, theirs, strict=True)),
        "sessions": n_sessions,
        "rounds": rounds,
    }


def simulation_speed(catalog: Catalog, n_sessions: int) -> dict[str, float]:
    """Time a whole simulation, with prompts, noise and drift."""
    settings = SimulationSettings(noise=Noise.of_level(0.1), drift_day=20)
    begin = time.process_time()
    made = simulate(catalog, n_sessions=n_sessions, settings=settings, rng=np.random.default_rng(0))
    return {
        "operations": len(catalog),
        "sessions": n_sessions,
        "calls": len(made.sessions),
        "seconds": time.process_time() - begin,
    }


def main() -> None:
    """Read the arguments, measure, and leave the figures."""
    parser = parser_of(__doc__, rounds=7)
    parser.add_argument("--sessions", type=int, default=50_000)
    parser.add_argument("--catalog", type=Path, help="also time `simulate` over this catalogue")
    arguments = parser.parse_args()
    report: dict[str, object] = {
        "chain": chain_speed(arguments.rounds, arguments.sessions),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    if arguments.catalog is not None:
        report["simulation"] = simulation_speed(load_catalog(arguments.catalog), 10_000)
    give(report, arguments.output)


if __name__ == "__main__":
    main()
