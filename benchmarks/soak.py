"""Users who ask for minutes at a part of what the service can bear: errors, memory, slow answers.

    python benchmarks/soak.py [--minutes 10 --users 20]

`nextcall serve` in production (key, limits, guard, caches, feedback, metrics, log) over some
operations of AWS, a process of its own on a core of its own; the users are in this one, on another.
Of their requests most ask again what was asked before (``kept``), a part is new (``new``), some say
what was taken (``feedback``), some are lists of five (``batch``). First the caches are filled, so
that memory that grows later grows for nothing. Then rounds: for some seconds all users ask without
a pause, which is the capacity just now, for a shared machine is not as fast at all times; for the
rest each asks at moments of its own, evenly spread around the rate that makes ``--part`` of it, or
as soon as its answer before is there. ``error_rate`` counts what is not answered by 200, of both;
``memory_growth`` holds the last tenth of the time against the second; milliseconds are from the
request to its answer, without the seconds of full load, ``p99_over_p50`` is of all and of each
kind, and ``late`` is how long after its moment a request was sent. Prints JSON, or writes it to
``--output``.
"""

import asyncio
import itertools
import json
import os
import random
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal, Self

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before the libraries load
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import uvloop
from cold_rank import part_of
from json_output import give, parser_of
from served.command import Service

from nextcall.catalog.aws import read_aws
from nextcall.sessions.awscli_examples import read_awscli_examples

Kind = Literal["kept", "new", "feedback", "batch"]
_KINDS: Final[tuple[Kind, ...]] = ("kept", "new", "feedback", "batch")
_SHARES: Final = (0.70, 0.20, 0.08, 0.02)
_KEPT: Final = 200  # prompts that are asked again and again
_BATCH: Final = 5
_SMALL: Final = {
    "NEXTCALL_CACHE_ENTRIES": json.dumps({"query": 1_000, "embedding": 1_000}),
    "NEXTCALL_FEEDBACK_SHOWN": "5000",
}
_TENTHS: Final = 10  # of the time, memory of which is told


def main() -> None:
    """Measure, and print or write."""
    parser = parser_of(__doc__, seed=0)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--part", type=float, default=0.8, help="of the capacity")
    parser.add_argument("--operations", type=int, default=1_000)
    parser.add_argument("--encoder", default="auto", help="as `nextcall serve` takes it")
    parser.add_argument("--fill", type=int, default=11_000, help="new prompts before all else")
    parser.add_argument("--round", type=float, default=30, help="seconds of a round")
    parser.add_argument("--full", type=float, default=3, help="of them at full load")
    arguments = parser.parse_args()
    catalog = read_aws()
    prompts = sorted({query.prompt for query in read_awscli_examples(catalog)})
    part = part_of(catalog, arguments.operations)
    calls = [operation.operation_id for operation in part]
    options = ["--encoder", arguments.encoder]
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})  # the service's, which it inherits
    with (
        TemporaryDirectory() as folder,
        Service(part, Path(folder), settings=_SMALL, options=options) as service,
    ):
        os.sched_setaffinity(0, {cores[0]})
        rng = random.Random(arguments.seed)
        with service.asking() as asking:  # a few look like an attack: they are never asked
            rng.shuffle(prompts)
            place = f"{service.place}/predict"
            asked = ((each, asking.post(place, json={"prompt": each})) for each in prompts)
            fine = (each for each, answer in asked if answer.status_code == 200)
            plain = list(itertools.islice(fine, 2 * _KEPT))
        users = _Users(service, plain, calls, count=arguments.users, rng=rng)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(users.fill(arguments.fill))
            result = runner.run(
                users.soak(
                    60 * arguments.minutes,
                    part=arguments.part,
                    round_seconds=arguments.round,
                    full_seconds=arguments.full,
                )
            )
    give(
        {
            "benchmark": "soak",
            "operations": len(part),
            "users": arguments.users,
            "minutes": arguments.minutes,
            **result,
        },
        arguments.output,
    )


class _Users:
    """Those who ask, each over a connection of its own."""

    def __init__(
        self,
        service: Service,
        prompts: Sequence[str],
        calls: Sequence[str],
        *,
        count: int,
        rng: random.Random,
    ) -> None:
        self._service, self._calls, self._rng = service, calls, rng
        self._kept, self._bases = prompts[:_KEPT], prompts[_KEPT:]
        self._numbers = itertools.count()
        self._shown: list[list[tuple[str, str]]] = [[] for _ in range(count)]
        self._taken: dict[Kind, list[float]] = {kind: [] for kind in _KINDS}
        self._late: list[float] = []
        self._unmeasured = 0
        self._errors: Counter[str] = Counter()

    async def fill(self, count: int) -> None:
        """Ask new prompts, until whatever keeps something is full."""

        async def ask(user: int) -> None:
            async with _Connection(self._service, user) as connection:
                for _ in range(count // 4):
                    await self._ask(connection, "new")

        await asyncio.gather(*map(ask, range(4)))
        for each in self._taken.values():
            each.clear()
        self._errors.clear()

    async def soak(
        self, seconds: float, *, part: float, round_seconds: float, full_seconds: float
    ) -> dict[str, object]:
        """Ask at a part of the capacity, round by round; tell what became of it."""
        begin = time.perf_counter()
        samples = list[tuple[float, float]]()

        async def sample() -> None:
            while True:
                samples.append((time.perf_counter() - begin, self._service.memory_mb()))
                await asyncio.sleep(seconds / 200)

        sampling = asyncio.create_task(sample())
        capacities, reached = list[float](), list[float]()
        while (left := seconds - (time.perf_counter() - begin)) > full_seconds:
            capacities.append(await self._fully(full_seconds))
            measured = min(round_seconds, left) - full_seconds
            reached.append(await self._at_a_rate(part * capacities[-1], measured))
        sampling.cancel()
        told = {"capacity": _spread(capacities), "answered": _spread(reached)}
        return {"a_second": told, **self._told(seconds, samples)}

    async def _fully(self, seconds: float) -> float:
        """Ask without a pause, all users together; give the answers a second."""
        begin, before = time.perf_counter(), {kind: len(self._taken[kind]) for kind in _KINDS}

        async def ask(user: int) -> None:
            async with _Connection(self._service, user) as connection:
                while time.perf_counter() < begin + seconds:
                    await self._ask(connection, self._kind())

        await asyncio.gather(*map(ask, range(len(self._shown))))
        taken = time.perf_counter() - begin
        answered = sum(map(len, self._taken.values())) - sum(before.values())
        for kind, number in before.items():
            del self._taken[kind][number:]
        self._unmeasured += answered
        return answered / taken

    async def _at_a_rate(self, rate: float, seconds: float) -> float:
        """Ask at moments spread around a rate; give the answers a second."""
        begin, before = time.perf_counter(), sum(map(len, self._taken.values()))
        pause = len(self._shown) / rate

        async def ask(user: int) -> None:
            async with _Connection(self._service, user) as connection:
                due = begin + pause * self._rng.random()
                while due < begin + seconds:
                    now = time.perf_counter()
                    if now < due:
                        await asyncio.sleep(due - now)
                    self._late.append(time.perf_counter() - due)
                    await self._ask(connection, self._kind())
                    due += pause * self._rng.uniform(0.5, 1.5)

        await asyncio.gather(*map(ask, range(len(self._shown))))
        answered = sum(map(len, self._taken.values())) - before
        return answered / (time.perf_counter() - begin)

    def _told(self, seconds: float, samples: Sequence[tuple[float, float]]) -> dict[str, object]:
        def of_tenth(number: int) -> float:
            low, high = seconds * number / _TENTHS, seconds * (number + 1) / _TENTHS
            return statistics.fmean(each for at, each in samples if low <= at < high)

        taken: dict[str, list[float]] = {"all": list(itertools.chain(*self._taken.values()))}
        taken |= {str(kind): each for kind, each in self._taken.items()}
        answered = {kind: len(each) for kind, each in self._taken.items()}
        asked = sum(answered.values()) + self._unmeasured + self._errors.total()
        return {
            "requests": asked,
            "measured": answered,
            "errors": dict(self._errors),
            "error_rate": self._errors.total() / asked,
            "memory_mb": [round(of_tenth(number), 1) for number in range(_TENTHS)],
            "memory_growth": round(of_tenth(_TENTHS - 1) / of_tenth(1) - 1, 4),
            "milliseconds": {
                name: _figures(each) for name, each in [*taken.items(), ("late", self._late)]
            },
            "p99_over_p50": {
                name: round(float(np.quantile(each, 0.99) / np.median(each)), 2)
                for name, each in taken.items()
                if each
            },
        }

    def _kind(self) -> Kind:
        return self._rng.choices(_KINDS, _SHARES)[0]

    async def _ask(self, connection: "_Connection", kind: Kind) -> None:
        """Ask, and count what comes."""
        shown = self._shown[connection.user]
        if kind == "feedback" and not shown:
            kind = "kept"
        asked: object
        if kind == "feedback":
            prediction, chosen = shown.pop()
            path, asked = "/feedback", {"prediction_id": prediction, "chosen": chosen}
        elif kind == "batch":
            path, asked = "/predict/batch", [self._question("kept") for _ in range(_BATCH)]
        else:
            path, asked = "/predict", self._question(kind)
        body = json.dumps(asked).encode()
        begin = time.perf_counter()
        try:
            status, answer = await connection.ask(path, body)
        except (OSError, EOFError) as error:
            self._errors[type(error).__name__] += 1
            await connection.open()
            return
        if status != 200:
            self._errors[f"{kind} {status}"] += 1
            return
        self._taken[kind].append(time.perf_counter() - begin)
        if path == "/predict":
            told = json.loads(answer)
            shown[:] = [
                *shown[-4:],
                (told["prediction_id"], told["predictions"][0]["operation_id"]),
            ]

    def _question(self, kind: Kind) -> dict[str, object]:
        if kind == "kept":
            place = self._rng.randrange(len(self._kept))
            return {"prompt": self._kept[place], "history": self._history(place)}
        number = next(self._numbers)
        prompt = f"{self._rng.choice(self._bases)} for the team q{number}"
        return {"prompt": prompt, "history": self._history(number)}

    def _history(self, number: int) -> list[dict[str, str]]:
        return [{"api_call": self._calls[(number + each) % len(self._calls)]} for each in range(2)]


def _spread(values: Sequence[float]) -> dict[str, float]:
    least, median, most = np.quantile(values, [0, 0.5, 1])
    return {"least": round(least, 1), "median": round(median, 1), "most": round(most, 1)}


def _figures(seconds: Sequence[float]) -> dict[str, float]:
    if not seconds:
        return {}
    p50, p95, p99 = np.quantile(seconds, [0.5, 0.95, 0.99])
    figures = {"p50": p50, "p95": p95, "p99": p99, "longest": max(seconds)}
    return {name: round(1_000 * float(each), 2) for name, each in figures.items()}


class _Connection:
    """One user's, which stays open."""

    def __init__(self, service: Service, user: int) -> None:
        self.user = user
        self._port = int(service.place.rpartition(":")[2])
        self._head = f"host: localhost\r\nx-api-key: {service.key}\r\nx-user-id: user {user}\r\n"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def open(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def ask(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Give the status and the body of an answer."""
        head = f"POST {path} HTTP/1.1\r\n{self._head}content-length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        told = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(told.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return int(told.split(maxsplit=2)[1]), await self._reader.readexactly(length)


if __name__ == "__main__":
    main()
