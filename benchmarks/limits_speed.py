"""Time of one decision on three windows, in memory and by Redis, beside `limits` and a PING.

    python benchmarks/limits_speed.py

By turns; microseconds of wall and of this process's CPU, medians of the rounds, and of the ratios
within each. `limits` is asked for the three windows one after the other. Redis runs on a socket of
this machine where ``redis-server`` is installed or ``NEXTCALL_TEST_REDIS_SERVER`` names it; a PING
is one of its Python client, and one over a bare connection of that client, as ours is.
``interleaved`` alternates them call by call, and ``server_cpu_microseconds`` is what the server
computes for each. Prints JSON, or writes it to ``--output``.
"""

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import limits
from json_output import give, parser_of, rounded
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter
from redis import Redis

from nextcall.access.limiter import Limiter
from nextcall.access.memory_rates import MemoryRates
from nextcall.access.rate_decision import rate_headers
from nextcall.access.redis_rates import RedisRates

_CALLERS = 100
_WINDOWS = ("60/minute", "1000/hour", "10000/day")


def main() -> None:
    """Measure the ways in turns, and write medians of the rounds and of the ratios within each."""
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=2000, help="of each way in a round")
    arguments = parser.parse_args()
    with _redis() as (url, server):
        ways = _ways(url)
        result = _measure(ways, arguments.rounds, arguments.calls)
        if server is not None:
            by_redis = {name: way for name, way in ways.items() if name.startswith("redis")}
            result["interleaved"] = _interleaved(by_redis, arguments.rounds * arguments.calls // 2)
            result["server_cpu_microseconds"] = _server_cpu(by_redis, server, arguments.calls)
    give(result, arguments.output)


def _ways(url: str | None) -> dict[str, Callable[[str], Any]]:
    ours, peer_storage = Limiter(MemoryRates()), MemoryStorage()
    items = [limits.parse(text) for text in _WINDOWS]

    def peer(strategy: Any) -> Callable[[str], Any]:
        def hit(caller: str) -> bool:  # as its users do: the windows one after the other
            return all(strategy.hit(item, caller) for item in items)

        return hit

    decision = ours.take("one", endpoint="/predict")
    now = time.time()
    ways: dict[str, Callable[[str], Any]] = {
        "memory": lambda caller: ours.take(caller, endpoint="/predict"),
        "limits, moving window": peer(MovingWindowRateLimiter(peer_storage)),
        "limits, sliding counter": peer(SlidingWindowCounterRateLimiter(MemoryStorage())),
        "headers": lambda _: rate_headers(decision, now=now),
    }
    if url is not None:
        client = Redis.from_url(url)
        shared = Limiter(RedisRates(url, patience=10))
        bare: Any = client.connection_pool.get_connection()
        ways["redis PING"] = lambda _: client.ping()
        ways["redis PING, bare"] = lambda _: (
            bare.send_packed_command((b"*1\r\n$4\r\nPING\r\n",), check_health=False),
            bare.read_response(),
        )
        ways["redis"] = lambda caller: shared.take(caller, endpoint="/predict")
    return ways


def _measure(ways: dict[str, Callable[[str], Any]], rounds: int, calls: int) -> dict[str, object]:
    wall: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        # New callers each round: all of them are let through, none is at a limit.
        callers = [f"{number:016d}{place:016d}" for place in range(_CALLERS)]
        for name, way in ways.items():
            begin, begin_cpu = time.perf_counter(), time.process_time()
            for call in range(calls):
                way(callers[call % _CALLERS])
            cpu[name].append((time.process_time() - begin_cpu) / calls * 1e6)
            wall[name].append((time.perf_counter() - begin) / calls * 1e6)
    ratios = {"memory": "limits, moving window", "redis": "redis PING"}
    return {
        "benchmark": "limits_speed",
        "windows": len(_WINDOWS),
        "microseconds": {name: round(statistics.median(each), 2) for name, each in wall.items()},
        "cpu_microseconds": {name: round(statistics.median(each), 2) for name, each in cpu.items()},
        "ratios": {
            f"{one} / {other}": round(
                statistics.median(a / b for a, b in zip(wall[one], wall[other], strict=True)), 3
            )
            for one, other in ratios.items()
            if one in wall
        },
        "samples": {"microseconds": rounded(wall), "cpu_microseconds": rounded(cpu)},
    }


def _interleaved(ways: dict[str, Callable[[str], Any]], calls: int) -> dict[str, float]:
    """Give medians of calls that alternate, and how many PINGs a decision takes."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for call in range(calls):
        caller = f"interleaved{call // 25:021d}"
        for name, way in ways.items():
            begin = time.perf_counter()
            way(caller)
            found[name].append((time.perf_counter() - begin) * 1e6)
    medians = {name: round(statistics.median(each), 1) for name, each in found.items()}
    return {**medians, "redis / redis PING": round(medians["redis"] / medians["redis PING"], 2)}


def _server_cpu(ways: dict[str, Callable[[str], Any]], server: int, calls: int) -> dict[str, float]:
    def spent() -> float:
        tasks = Path(f"/proc/{server}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1000

    found = {}
    for name, way in ways.items():
        before = spent()
        for call in range(calls):
            way(f"{call % _CALLERS:032d}")
        found[name] = round((spent() - before) / calls, 1)
    return found


@contextmanager
def _redis() -> Iterator[tuple[str | None, int | None]]:
    """Start a server where its program is installed."""
    program = os.environ.get("NEXTCALL_TEST_REDIS_SERVER") or shutil.which("redis-server")
    if program is None:
        yield None, None
        return
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder, "s")
        options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
        process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        try:
            while not socket.exists():
                time.sleep(0.05)
            yield f"unix://{socket}", process.pid
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
