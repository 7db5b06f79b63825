"""What a breaker, a deadline and a retry add to a call that succeeds, beside other libraries.

    python benchmarks/resilience_speed.py

By turns; microseconds of this process's CPU that each way adds to the call alone, medians of the
rounds, and of the ratios within each. The call does nothing. ``retry, stamina`` and ``retry,
tenacity`` are those libraries as their manuals use them with a function that is called often;
``breaker, pybreaker`` is measured where it is installed, ``timeout, asyncio`` is the standard
library's. ``all of it`` is a `Dependency`. Prints JSON, or writes it to ``--output``.
"""

import asyncio
import importlib
import statistics
import time
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import Any

import stamina
import tenacity
from json_output import give, parser_of

from nextcall.resilience.breaker import Breaker
from nextcall.resilience.breakers import Breakers
from nextcall.resilience.deadline import deadline
from nextcall.resilience.outside import Dependency
from nextcall.resilience.outside_call import OutsideCall
from nextcall.resilience.retry import Retry

_ALONE = "the call alone"
_RATIOS = {
    "breaker": "breaker, pybreaker",
    "retry": "retry, stamina",
    "deadline": "timeout, asyncio",
}
_OUTSIDE = OutsideCall(name="any", purpose="none", fallback="none", seconds=1, tries=3)


def work() -> int:
    """Answer, at once."""
    return 7


async def awork() -> int:
    """Answer, at once."""
    return 7


def main() -> None:
    """Measure the ways in turns, those that call and those that await."""
    parser = parser_of(__doc__, rounds=15)
    parser.add_argument("--calls", type=int, default=20_000, help="of each way in a round")
    arguments = parser.parse_args()
    rounds, calls = arguments.rounds, arguments.calls
    result = {
        "benchmark": "resilience_speed",
        "called": _summary(_measure(_ways(), rounds, calls)),
        "awaited": _summary(asyncio.run(_ameasure(_aways(), rounds, calls))),
    }
    give(result, arguments.output)


def _ways() -> dict[str, Callable[[], Any]]:
    breaker, retry = Breaker("any"), Retry()
    dependency = Dependency(_OUTSIDE, breakers=Breakers())
    of_stamina = stamina.RetryingCaller(attempts=3).on(ConnectionError)
    of_tenacity = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(3), wait=tenacity.wait_exponential_jitter()
    )

    def within() -> int:
        with deadline(1):
            return work()

    ways: dict[str, Callable[[], Any]] = {
        _ALONE: work,
        "breaker": lambda: breaker.call(work),
        "deadline": within,
        "retry": lambda: retry.call(work),
        "all of it": lambda: dependency.call(work),
        "retry, stamina": lambda: of_stamina(work),
        "retry, tenacity": lambda: of_tenacity(work),
    }
    if find_spec("pybreaker"):
        peer = importlib.import_module("pybreaker").CircuitBreaker()
        ways["breaker, pybreaker"] = lambda: peer.call(work)
    return ways


def _aways() -> dict[str, Callable[[], Awaitable[Any]]]:
    breaker, retry = Breaker("any"), Retry()
    dependency = Dependency(_OUTSIDE, breakers=Breakers())
    of_stamina = stamina.AsyncRetryingCaller(attempts=3).on(ConnectionError)
    of_tenacity = tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(3), wait=tenacity.wait_exponential_jitter()
    )

    async def within() -> int:
        async with deadline(1):
            return await awork()

    async def of_asyncio() -> int:
        async with asyncio.timeout(1):
            return await awork()

    return {
        _ALONE: awork,
        "breaker": lambda: breaker.acall(awork),
        "deadline": within,
        "timeout, asyncio": of_asyncio,
        "retry": lambda: retry.acall(awork),
        "all of it": lambda: dependency.acall(awork),
        "retry, stamina": lambda: of_stamina(awork),
        "retry, tenacity": lambda: of_tenacity(awork),
    }


def _measure(ways: dict[str, Callable[[], Any]], rounds: int, calls: int) -> dict[str, list[float]]:
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            begin = time.process_time()
            for _ in range(calls):
                way()
            spent[name].append((time.process_time() - begin) / calls * 1e6)
    return spent


async def _ameasure(
    ways: dict[str, Callable[[], Awaitable[Any]]], rounds: int, calls: int
) -> dict[str, list[float]]:
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            begin = time.process_time()
            for _ in range(calls):
                await way()
            spent[name].append((time.process_time() - begin) / calls * 1e6)
    return spent


def _summary(spent: dict[str, list[float]]) -> dict[str, object]:
    alone = spent.pop(_ALONE)
    added = {
        name: [all_of_it - call for all_of_it, call in zip(each, alone, strict=True)]
        for name, each in spent.items()
    }
    return {
        "added_cpu_microseconds": {
            name: round(statistics.median(each), 2) for name, each in added.items()
        },
        "ratios": {
            f"{ours} / {peer}": round(
                statistics.median(a / b for a, b in zip(added[ours], added[peer], strict=True)), 3
            )
            for ours, peer in _RATIOS.items()
            if peer in added
        },
    }


if __name__ == "__main__":
    main()
