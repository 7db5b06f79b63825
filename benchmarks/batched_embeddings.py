"""Prompts of many callers encoded together, or each by itself: which answers more, and sooner.

    python benchmarks/batched_embeddings.py [--static DIR]

As in one worker of the service: an event loop hands prompts to threads, each of which computes on
one core. So many callers ask, wait for their vector, and ask again. ``each``: a prompt by itself
(the service has four threads). ``batched``: a `MicroBatcher` gathers up to sixteen prompts that
came in the same turn of the loop (``0 ms``) or within two milliseconds. ``gathered``: a
`GatheringEmbedder` for four threads, of which one encodes at a time, or two (as in the service on
two cores). All ways by turns, with MiniLM (int8) and, of a folder that `nextcall embed distill`
made, with a static table. Given are prompts a second, milliseconds until a caller has its vector,
CPU milliseconds of a prompt, and of each round the prompts a second over those of ``each``: on as
many cores (``times_each``), and with four threads (``times_four_threads``), and the CPU of four
threads over its own (``times_four_threads_by_cpu``), which says more where others use the machine.
Prints JSON, or writes it to ``--output``.
"""

import asyncio
import itertools
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before the libraries load
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import uvloop
from json_output import give, parser_of
from numpy.typing import NDArray

from nextcall.catalog.aws import read_aws
from nextcall.embedding import Embedder, OnnxEmbedder
from nextcall.embedding.gathering import GatheringEmbedder
from nextcall.embedding.static_files import load_static
from nextcall.resilience.batching import MicroBatcher
from nextcall.sessions.awscli_examples import read_awscli_examples

_CALLERS: Final = (1, 4, 20)
_LARGEST: Final = 16
_FOUR: Final = "each, 4 threads"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How prompts reach the encoder."""

    threads: int
    each: str
    """The way without batches that uses as many cores."""
    wait: float | None = None
    """Seconds that a batch waits for others; None where there is no `MicroBatcher`."""
    side_by_side: int | None = None
    """How many threads compute at once, where what the others bring is gathered."""


_ONE: Final = "each, 1 thread"
_TWO: Final = "each, 2 threads"
_WAYS: Final = {
    _ONE: _Way(threads=1, each=_ONE),
    _TWO: _Way(threads=2, each=_TWO),
    _FOUR: _Way(threads=4, each=_TWO),
    "batched, 1 thread, 0 ms": _Way(threads=1, each=_ONE, wait=0.0),
    "batched, 2 threads, 0 ms": _Way(threads=2, each=_TWO, wait=0.0),
    "batched, 1 thread, 2 ms": _Way(threads=1, each=_ONE, wait=0.002),
    "gathered, 1 of 4 threads": _Way(threads=4, each=_ONE, side_by_side=1),
    "gathered, 2 of 4 threads": _Way(threads=4, each=_TWO, side_by_side=2),
}

Vector = NDArray[np.float32]


def main() -> None:
    """Measure, and print or write."""
    parser = parser_of(__doc__, rounds=5, seed=0)
    parser.add_argument("--static", type=Path, help="folder of a static encoder")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    examples = sorted({query.prompt for query in read_awscli_examples(read_aws())})
    prompts = rng.permutation(examples).tolist()
    embedders: dict[str, Embedder] = {"minilm": OnnxEmbedder()}
    if arguments.static is not None:
        embedders["static"] = load_static(arguments.static)[0]
    for embedder in embedders.values():
        _check(embedder, prompts[:_LARGEST])
    give(
        {
            "benchmark": "batched_embeddings",
            "cores": os.cpu_count(),
            **{
                name: {
                    f"{callers} callers": _measure(
                        embedder, prompts, callers, arguments.rounds, arguments.seconds
                    )
                    for callers in _CALLERS
                }
                for name, embedder in embedders.items()
            },
            "load_average": round(os.getloadavg()[0], 2),
        },
        arguments.output,
    )


def _check(embedder: Embedder, prompts: Sequence[str]) -> None:
    """See that a vector does not depend on those that are encoded beside it."""
    alone = np.concatenate([embedder.encode([prompt]) for prompt in prompts])
    if not np.allclose(alone, embedder.encode(prompts), atol=1e-5):
        raise SystemExit(f"error: {embedder.name} encodes prompts otherwise in a batch")


def _measure(
    embedder: Embedder, prompts: Sequence[str], callers: int, rounds: int, seconds: float
) -> dict[str, dict[str, float]]:
    found: dict[str, list[_Round]] = {name: [] for name in _WAYS}
    for _ in range(rounds):
        for name, way in _WAYS.items():
            work = _asked(embedder, itertools.cycle(prompts), way, callers, seconds)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                begin, computed = time.perf_counter(), time.process_time()
                taken = runner.run(work)
                wall = time.perf_counter() - begin
                cpu = time.process_time() - computed
            p50, p95 = np.quantile(taken, [0.5, 0.95])
            found[name].append(
                _Round(rate=len(taken) / wall, p50=p50, p95=p95, cpu=cpu / len(taken))
            )
    return {
        name: {
            "prompts_a_second": round(_median(one.rate for one in each), 1),
            "p50_ms": round(1_000 * _median(one.p50 for one in each), 3),
            "p95_ms": round(1_000 * _median(one.p95 for one in each), 3),
            "cpu_ms": round(1_000 * _median(one.cpu for one in each), 3),
            "times_each": _times(each, found[_WAYS[name].each]),
            "times_four_threads": _times(each, found[_FOUR]),
            "times_four_threads_by_cpu": round(
                _median(b.cpu / a.cpu for a, b in zip(each, found[_FOUR], strict=True)), 2
            ),
        }
        for name, each in found.items()
    }


class _Round(NamedTuple):
    """What one way did in one round, in seconds."""

    rate: float
    p50: float
    p95: float
    cpu: float


def _median(values: Iterable[float]) -> float:
    return float(statistics.median(values))


def _times(one: Sequence[_Round], other: Sequence[_Round]) -> float:
    return round(_median(a.rate / b.rate for a, b in zip(one, other, strict=True)), 2)


async def _asked(
    embedder: Embedder,
    prompts: "itertools.cycle[str]",
    way: _Way,
    callers: int,
    seconds: float,
) -> list[float]:
    """Let callers ask for some seconds; give what each answer took."""
    loop, taken = asyncio.get_running_loop(), list[float]()
    if way.side_by_side is not None:
        embedder = GatheringEmbedder(embedder, side_by_side=way.side_by_side, largest=_LARGEST)

    async def together(asked: Sequence[str]) -> Sequence[Vector]:
        return list(await loop.run_in_executor(pool, embedder.encode, asked))

    async def alone(asked: str) -> Vector:
        (vector,) = await together([asked])
        return vector

    async def call(encode: Callable[[str], Awaitable[Vector]], until: float) -> None:
        while (begin := time.perf_counter()) < until:
            await encode(next(prompts))
            taken.append(time.perf_counter() - begin)

    with ThreadPoolExecutor(way.threads) as pool:
        until = time.perf_counter() + seconds
        if way.wait is None:
            await asyncio.gather(*(call(alone, until) for _ in range(callers)))
        else:
            async with MicroBatcher(together, largest=_LARGEST, wait=way.wait) as batcher:
                await asyncio.gather(*(call(batcher.ask, until) for _ in range(callers)))
    return taken


if __name__ == "__main__":
    main()
