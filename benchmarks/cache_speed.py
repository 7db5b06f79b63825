"""Time of one look into each cache, beside cachetools, a Redis GET, and a scan of vectors.

    python benchmarks/cache_speed.py

By turns; microseconds of this process's CPU and of wall, medians of the rounds, and of the ratios
within each. A TTLCache stands under a lock, as threads need it. ``semantic`` are searches among
1,000 and 10,000 prompts of as many content words, 384 dimensions: by the index of words, by one
product with all vectors, and by a loop over the entries. Redis runs on a socket of this machine
where ``redis-server`` is installed or ``NEXTCALL_TEST_REDIS_SERVER`` names it. Prints JSON, or
writes it to ``--output``.
"""

import asyncio
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from cachetools import TTLCache
from json_output import give, parser_of
from numpy.typing import NDArray
from redis import Redis

from nextcall.cache.cache import Cache
from nextcall.cache.cached import cached
from nextcall.cache.codecs import JsonCodec
from nextcall.cache.computing import ComputingCache
from nextcall.cache.content_words import content_words
from nextcall.cache.redis_tier import RedisTier
from nextcall.cache.semantic import Scope, SemanticCache
from nextcall.cache.shared_flight import ComputingTiers
from nextcall.cache.tiers import Tiers
from nextcall.telemetry.families import CACHE_HITS, LAYER_EVENTS
from nextcall.telemetry.metrics import open_metrics

_ENTRIES = 10_000
_DIMENSIONS = 384
_SCOPE = Scope(caller_class="user", catalog_hash="c", model_hash="m", k=3)

Ways = dict[str, Callable[[int], object]]


def main() -> None:
    """Measure the ways in turns, and write medians of the rounds and of the ratios within each."""
    parser = parser_of(__doc__, rounds=15, seed=0)
    parser.add_argument("--calls", type=int, default=2000, help="of each way in a round")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    with _redis() as url:
        ways = {**_memory_ways(), **_redis_ways(url)}
        found = {"exact": _measure(ways, arguments.rounds, arguments.calls, "cache, hit")}
        found["awaited"] = asyncio.run(_awaited(arguments.rounds, arguments.calls))
    for entries in (1000, 10_000):
        searches = _searches(entries, rng)
        calls = max(arguments.calls // 100, 1)
        peer = f"index, hit, of {entries}"
        found[f"semantic, {entries}"] = _measure(searches, arguments.rounds, calls, peer)
    give({"benchmark": "cache_speed", "entries": _ENTRIES, **found}, arguments.output)


def _memory_ways() -> Ways:
    ours = Cache[int](ttl=3600, entries=_ENTRIES)
    theirs: TTLCache[str, int] = TTLCache(_ENTRIES, ttl=3600)
    keys = [f"a key of some length {number:06d}" for number in range(_ENTRIES)]
    unknown = [f"another key of some length {number:06d}" for number in range(_ENTRIES)]
    for number, key in enumerate(keys):
        ours.put(key, number)
        theirs[key] = number
    lock, computing = threading.Lock(), ComputingCache(ours)
    told = Cache[int](ttl=3600, entries=_ENTRIES)
    metrics = open_metrics(endpoints=())
    told.count_in(partial(metrics.part, LAYER_EVENTS, "query"))
    risen, part = (metrics.count(CACHE_HITS, "query"), metrics.part(CACHE_HITS, "query"))

    def add(_: int) -> None:
        part[0] += 1.0

    for number, key in enumerate(keys):
        told.put(key, number)

    def peer(asked: list[str]) -> Callable[[int], object]:
        def get(number: int) -> object:
            with lock:
                return theirs.get(asked[number])

        return get

    def peer_put(number: int) -> None:
        with lock:
            theirs[keys[number]] = number

    @cached(computing)
    def function(number: int) -> int:
        return number

    for number in range(_ENTRIES // 2):
        function(number)
    return {
        "cache, hit": lambda number: ours.get(keys[-1 - number % 1000]),
        "cache, hit, counted where others read": lambda number: told.get(keys[-1 - number % 1000]),
        "a count, by Count.rise": lambda _: risen.rise(),
        "a count, by Metrics.part": add,
        "cache, miss": lambda number: ours.get(unknown[number]),
        "cachetools, hit": peer(keys),
        "cachetools, miss": peer(unknown),
        "computing cache, hit": lambda number: computing.get_or_compute(
            keys[-1 - number % 1000], int
        ),
        "decorated function, hit": lambda number: function(number % 1000),
        "cache, put": lambda number: ours.put(keys[-1 - number % 1000], number),
        "cachetools, put": peer_put,
    }


def _redis_ways(url: str | None) -> Ways:
    if url is None:
        return {}
    tiers = _tiers(url)
    computing, client = ComputingTiers(tiers), Redis.from_url(url)
    cold, mark = _tiers(url), 0
    tiers.put("a key of some length", {"value": 1})
    client.set("a key of some length", b'{"value":1}')
    cold.look()
    return {
        "tiers, hit in memory": lambda _: tiers.get("a key of some length"),
        "computing tiers, hit in memory": lambda _: computing.get_or_compute(
            "a key of some length", int
        ),
        "tiers, read of Redis": lambda _: cold.read("a key of some length", mark=mark),
        "redis GET": lambda _: client.get("a key of some length"),
    }


def _tiers(url: str) -> Tiers[object]:
    shared = RedisTier(url, category="query", patience=10)
    return Tiers(Cache[object](ttl=3600, entries=_ENTRIES), shared, codec=JsonCodec())


async def _awaited(rounds: int, calls: int) -> dict[str, float]:
    computing = ComputingCache(Cache[int](ttl=3600, entries=10))

    async def one() -> int:
        return 1

    async def computed(key: str) -> float:
        begin = time.process_time()
        for number in range(calls):
            await computing.get_or_compute_async(key or str(number), one)
        return (time.process_time() - begin) / calls * 1e6

    await computing.get_or_compute_async("a", one)
    hits = [await computed("a") for _ in range(rounds)]
    fills = [await computed("") for _ in range(rounds)]
    return {
        "computing cache, hit": round(statistics.median(hits), 2),
        "computing cache, computed and kept": round(statistics.median(fills), 2),
    }


def _searches(entries: int, rng: np.random.Generator) -> Ways:
    vectors = rng.normal(size=(entries, _DIMENSIONS)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    prompts = [f"To describe the key pair number {number} of all" for number in range(entries)]
    kept = SemanticCache[int](dimensions=_DIMENSIONS, entries=entries)
    words = [content_words(prompt) for prompt in prompts]
    for number, prompt in enumerate(prompts):
        kept.put(_SCOPE, prompt, vectors[number], number)

    def product(number: int) -> int | None:
        asked, cosines = content_words(prompts[number]), vectors @ vectors[number]
        near = np.flatnonzero(cosines >= 0.95)
        return next((int(row) for row in near if words[row] == asked), None)

    def loop(number: int) -> int | None:
        asked, vector = content_words(prompts[number]), vectors[number]
        return next((row for row in range(entries) if _same(row, asked, vector)), None)

    def _same(row: int, asked: tuple[str, ...], vector: NDArray[np.float32]) -> bool:
        return float(vectors[row] @ vector) >= 0.95 and words[row] == asked

    return {
        f"index, hit, of {entries}": lambda number: kept.get(
            _SCOPE, prompts[number % entries], vectors[number % entries]
        ),
        f"index, miss, of {entries}": lambda number: kept.get(
            _SCOPE, "To delete a key pair", vectors[number % entries]
        ),
        f"one product, of {entries}": lambda number: product(number % entries),
        f"loop, of {entries}": lambda number: loop(entries - 1 - number % entries),
        "content words": lambda number: content_words(prompts[number % entries]),
    }


def _measure(ways: Ways, rounds: int, calls: int, peer: str) -> dict[str, Any]:
    wall: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            begin, begin_cpu = time.perf_counter(), time.process_time()
            for number in range(calls):
                way(number)
            cpu[name].append((time.process_time() - begin_cpu) / calls * 1e6)
            wall[name].append((time.perf_counter() - begin) / calls * 1e6)
    return {
        "cpu_microseconds": {name: round(statistics.median(each), 2) for name, each in cpu.items()},
        "microseconds": {name: round(statistics.median(each), 2) for name, each in wall.items()},
        f"cpu, beside {peer}": {
            name: round(statistics.median(a / b for a, b in zip(each, cpu[peer], strict=True)), 1)
            for name, each in cpu.items()
        },
    }


@contextmanager
def _redis() -> Iterator[str | None]:
    """Start a server where its program is installed."""
    program = os.environ.get("NEXTCALL_TEST_REDIS_SERVER") or shutil.which("redis-server")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder, "s")
        options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
        process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        try:
            while not socket.exists():
                time.sleep(0.05)
            yield f"unix://{socket}"
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
