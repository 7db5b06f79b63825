"""What the service answers, keeps and says while it is killed and what it needs is taken away.

    python benchmarks/service_faults.py [--kills 5]

`nextcall serve` in production over a small catalogue, a process of its own; four users ask all the
time for predictions that are known, most of which it has to make anew, and tell what they took.
``killed``: by signal 9; one process has no manager, so this program starts it again, as compose or
Kubernetes does. ``worker_killed``: one of two workers, by signal 9; the other one answers, and a
successor begins by itself. ``log_full``: its files may not grow beyond the size of the log, which
is the largest, so that no line can be written. ``disk_full``: none may grow at all, the database's
neither. ``redis_away``: Redis, where answers and limits are shared, is killed and started anew.
``database_hangs``: all processes of its PostgreSQL are stopped for ``--hang`` seconds, then go on;
``seconds_of_health`` is the longest that ``/health`` took meanwhile, and
``seconds_until_left_alone`` the time until it told that the database is not asked any more.
``model``: the ranker's files are damaged in one way after the other, each before a start, and all
while it runs. ``wrong`` counts answers by 200 that are not those of a whole service (without a
ranker: that claim a confidence), ``feedback_lost`` what was acknowledged and is not in the
database, ``seconds_until_back`` the time from when the fault ends (of a kill: when it begins) until
predictions and feedback are both answered. Prints JSON, or writes it to ``--output``.
"""

import json
import os
import random
import resource
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Self

import httpx
from json_output import give, parser_of
from served.command import Service
from served.postgres import Postgres, programs
from served.redis_server import RedisServer
from trials_http import cpu_seconds

from nextcall.catalog import Catalog, describe_operation
from nextcall.feedback.answers import read_answers
from nextcall.locations import packaged_model
from nextcall.storage.opening import open_database

_VERBS: Final = ("list", "create", "get", "update", "delete")
_THINGS: Final = ("user", "order", "invoice", "bucket", "queue", "table", "role", "key", "alarm")
_FAULTS: Final = (
    "killed", "worker_killed", "log_full", "disk_full", "model", "redis_away", "database_hangs"
)  # fmt: skip
_USERS: Final = 4
_BACK_WITHIN: Final = 60.0  # seconds that are waited for
_PAUSE: Final = 0.1  # seconds after an error
_LOG_BYTES: Final = 64_000_000
_FEW_KEPT: Final = {
    "NEXTCALL_CACHE_ENTRIES": json.dumps({"query": 20, "embedding": 20}),
    "NEXTCALL_SEMANTIC_CACHE_ENABLED": "false",
}

Known = Mapping[str, Sequence[str]]
"""Operations that are right for a prompt, the first first."""


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__, seed=0)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="that each fault lasts")
    parser.add_argument("--hang", type=float, default=20.0, help="seconds of a database's")
    parser.add_argument("--only", nargs="+", choices=_FAULTS, default=_FAULTS)
    arguments = parser.parse_args()
    only = set(arguments.only)
    rng = random.Random(arguments.seed)
    result: dict[str, object] = {"benchmark": "service_faults"}
    with TemporaryDirectory() as named, ExitStack() as opened:
        folder = Path(named)
        model = folder / "model"
        shutil.copytree(packaged_model(), model)
        log = folder / "log" / "nextcall.jsonl"
        log.parent.mkdir()
        log.write_bytes(b"{}\n" * (_LOG_BYTES // 3))
        settings = {"NEXTCALL_CACHE_DIR": str(folder / "cache"), **_FEW_KEPT}
        options = ["--model", str(model)]
        service = Service(_catalog(), folder, settings=settings, options=options)
        with service:
            known = _ask_all(service)
            if "killed" in only:
                result["killed"] = _killed(service, known, arguments.kills, rng)
            if "log_full" in only:
                result["log_full"] = _log_full(service, known, log, arguments.seconds)
            if "disk_full" in only:
                result["disk_full"] = _disk_full(service, known, arguments.seconds)
        if "worker_killed" in only:
            two = [*options, "--workers", "2"]
            with Service(_catalog(), folder, settings=settings, options=two) as several:
                result["worker_killed"] = _worker_killed(several, known, arguments.kills, rng)
        if "model" in only:
            result["model"] = _damaged(service, known, model)
        program = os.environ.get("NEXTCALL_TEST_REDIS_SERVER") or shutil.which("redis-server")
        if "redis_away" in only and program:
            redis = RedisServer(program, folder / "redis")
            opened.callback(redis.stop)
            shared = {**settings, "NEXTCALL_REDIS_URL": redis.url}
            with Service(_catalog(), folder, settings=shared, options=options) as sharing:
                result["redis_away"] = _redis_away(sharing, known, redis, arguments.seconds)
        found = programs()
        if "database_hangs" in only and found is not None:
            place = Path(opened.enter_context(TemporaryDirectory(prefix="postgres-")))
            server = opened.enter_context(Postgres(found, place))
            keeping = Service(
                _catalog(), folder, settings=settings, options=options, url=server.url
            )
            with keeping:
                result["database_hangs"] = _hangs(keeping, known, server, arguments.hang)
    give(result, arguments.output)


def _catalog() -> Catalog:
    operations = tuple(
        describe_operation(operation_id=f"{verb}{thing.title()}", summary=f"{verb} a {thing}")
        for verb in _VERBS
        for thing in _THINGS
    )
    return Catalog(name="small", operations=operations)


def _prompts() -> list[str]:
    return [f"{verb} the {thing} of today" for verb in _VERBS for thing in _THINGS]


def _ask_all(service: Service) -> Known:
    with service.asking() as asking:
        return {prompt: _operations(_predict(asking, service, prompt)) for prompt in _prompts()}


def _predict(
    asking: httpx.Client, service: Service, prompt: str, *, detail: str = "short"
) -> dict[str, Any]:
    body = {"prompt": prompt, "history": [{"api_call": "listUser"}]}
    answer = asking.post(f"{service.place}/predict", params={"detail": detail}, json=body)
    answer.raise_for_status()
    told: dict[str, Any] = answer.json()
    return told


def _operations(told: Mapping[str, Any]) -> list[str]:
    return [each["operation_id"] for each in told["predictions"]]


class _Users:
    """Those who ask and tell until the block ends, and what they were answered."""

    def __init__(self, service: Service, known: Known) -> None:
        self._service, self._known = service, known
        self._ended = threading.Event()
        self._right = {"prediction": list[float](), "feedback": list[float]()}
        self._slowest = self._slowest_error = 0.0
        self._wrong: list[str] = []
        self._errors: Counter[str] = Counter()
        self.acknowledged: dict[str, str] = {}
        self._threads = [
            threading.Thread(target=self._ask, args=(random.Random(each),))
            for each in range(_USERS)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def answered(self) -> int:
        """Count the predictions so far."""
        return len(self._right["prediction"])

    def times(self) -> list[float]:
        """Give when the predictions so far were asked for."""
        return list(self._right["prediction"])

    def back_after(self, moment: float) -> float | None:
        """Wait until a prediction and feedback that were asked after a moment are answered."""
        while time.perf_counter() < moment + _BACK_WITHIN:
            if all(any(each > moment for each in own[-100:]) for own in self._right.values()):
                return round(time.perf_counter() - moment, 2)
            time.sleep(0.02)
        return None

    def told(self) -> dict[str, object]:
        """Sum up; the users must have ended."""
        with open_database(self._service.url) as database:
            kept = {each.prediction_id: each.chosen for each in read_answers(database)}
        lost = [one for one, chosen in self.acknowledged.items() if kept.get(one) != chosen]
        return {
            "predictions": len(self._right["prediction"]),
            "wrong": len(self._wrong),
            "feedback": len(self.acknowledged),
            "feedback_lost": len(lost),
            "errors": dict(sorted(self._errors.items())),
            "slowest_seconds": round(self._slowest, 3),
            "slowest_error_seconds": round(self._slowest_error, 3),
        }

    def _ask(self, rng: random.Random) -> None:
        with self._service.asking(seconds=35) as asking:
            while not self._ended.is_set():
                self._once(asking, rng)

    def _once(self, asking: httpx.Client, rng: random.Random) -> None:
        prompt = rng.choice(list(self._known))
        what, begin = "prediction", time.perf_counter()
        try:
            told = _predict(asking, self._service, prompt)
            if _operations(told) != self._known[prompt]:
                self._wrong.append(prompt)
            self._note(what, begin)
            what, begin = "feedback", time.perf_counter()
            one, chosen = told["prediction_id"], rng.choice(_operations(told))
            body = {"prediction_id": one, "chosen": chosen}
            asking.post(f"{self._service.place}/feedback", json=body).raise_for_status()
            self.acknowledged[one] = chosen
            self._note(what, begin)
        except httpx.HTTPStatusError as error:
            self._errors[f"{what} {error.response.status_code}"] += 1
            self._slowest_error = max(self._slowest_error, time.perf_counter() - begin)
            time.sleep(_PAUSE)
        except httpx.HTTPError as error:
            self._errors[f"{what} {type(error).__name__}"] += 1
            time.sleep(_PAUSE)

    def _note(self, what: str, begin: float) -> None:
        self._right[what].append(begin)
        self._slowest = max(self._slowest, time.perf_counter() - begin)


def _killed(service: Service, known: Known, kills: int, rng: random.Random) -> dict[str, object]:
    backs, computed = list[float | None](), list[float]()
    with _Users(service, known) as users:
        for _ in range(kills):
            time.sleep(1 + rng.random())
            moment = time.perf_counter()
            service.kill()
            service.start()
            computed.append(cpu_seconds(service.process.pid))
            backs.append(users.back_after(moment))
    return {
        "kills": kills,
        **users.told(),
        "seconds_until_back": None if None in backs else max(each for each in backs if each),
        "seconds_of_cpu_of_a_start": round(max(computed), 2),
    }


def _worker_killed(
    service: Service, known: Known, kills: int, rng: random.Random
) -> dict[str, object]:
    backs, successors = list[float | None](), list[float]()
    with _Users(service, known) as users:
        for _ in range(kills):
            time.sleep(1 + rng.random())
            before, moment = _workers(service), time.perf_counter()
            os.kill(min(before), signal.SIGKILL)
            backs.append(users.back_after(moment))
            while len(_workers(service) - {min(before)}) < len(before):
                time.sleep(0.02)
            successors.append(time.perf_counter() - moment)
    return {
        "kills": kills,
        **users.told(),
        "seconds_until_back": None if None in backs else max(each for each in backs if each),
        "seconds_until_successor": round(max(successors), 2),
    }


def _workers(service: Service) -> set[int]:
    pid = service.process.pid
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def _log_full(service: Service, known: Known, log: Path, seconds: float) -> dict[str, object]:
    def lift() -> None:
        _limit_files(service, resource.RLIM_INFINITY)

    with _Users(service, known) as users:
        time.sleep(1)
        _limit_files(service, log.stat().st_size)
        back = _lasting(users, seconds, lift)
        lost = _lost_lines(service)
        size = log.stat().st_size
        until = time.perf_counter() + _BACK_WITHIN
        while log.stat().st_size == size and time.perf_counter() < until:
            time.sleep(0.02)
    with log.open("rb") as file:
        file.seek(size)
        written = file.read().splitlines()
    return {
        **users.told(),
        "lines_told_as_lost": lost,
        "lines_after": len(written),
        "lines_cut_after": sum(not _is_json(line) for line in written[1:]),
        "seconds_until_back": back,
    }


def _disk_full(service: Service, known: Known, seconds: float) -> dict[str, object]:
    def lift() -> None:
        _limit_files(service, resource.RLIM_INFINITY)

    with _Users(service, known) as users:
        time.sleep(1)
        _limit_files(service, 0)
        begin = len(users.acknowledged)
        back = _lasting(users, seconds, lift)
    return {
        **users.told(),
        "feedback_after": len(users.acknowledged) - begin,
        "seconds_until_back": back,
    }


def _lasting(users: _Users, seconds: float, lift: Callable[[], None]) -> float | None:
    """Let a fault last, for some predictions at least; end it, and give the seconds until back."""
    enough, until = users.answered() + 2 * _USERS, time.perf_counter() + _BACK_WITHIN
    time.sleep(seconds)
    while users.answered() < enough and time.perf_counter() < until:
        time.sleep(0.02)
    moment = time.perf_counter()
    lift()
    back = users.back_after(moment)
    time.sleep(1)
    return back


def _limit_files(service: Service, most: int) -> None:
    """Let no file of the service grow beyond so many bytes."""
    hard = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (most, hard))


def _lost_lines(service: Service) -> int:
    with service.asking() as asking:
        told = asking.get(f"{service.place}/metrics").text.splitlines()
    return sum(
        int(float(line.split()[-1]))
        for line in told
        if "log_lines_lost_total" in line and not line.startswith("#")
    )


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _damaged(service: Service, known: Known, model: Path) -> dict[str, object]:
    """Start over damaged models, damage one that is in use, and mend it."""
    whole = {path.name: path.read_bytes() for path in model.iterdir()}
    trees = next(name for name in whole if name.startswith("trees-"))
    middle = len(whole[trees]) // 2
    turned = bytes([whole[trees][middle] ^ 1])
    damages: dict[str, dict[str, bytes | None]] = {
        "trees_cut": {trees: whole[trees][:middle]},
        "a_bit_turned": {trees: whole[trees][:middle] + turned + whole[trees][middle + 1 :]},
        "trees_missing": {trees: None},
        "ranker_cut": {"ranker.json": whole["ranker.json"][:1000]},
        "ranker_empty": {"ranker.json": b""},
    }
    found = dict[str, object]()
    for name, damage in damages.items():
        _write(model, {**whole, **damage})
        with service:
            found[name] = _without_ranker(service)
    _write(model, whole)
    with service:
        _write(model, dict.fromkeys(whole, b"\x00"))
        found["while_it_runs"] = _whole(service, known, detail="full")
        service.kill()
        service.start()
        found["started_again_over_it"] = _without_ranker(service)
    _write(model, whole)
    with service:
        found["mended"] = _whole(service, known)
    return found


def _write(model: Path, files: Mapping[str, bytes | None]) -> None:
    for name, content in files.items():
        if content is None:
            (model / name).unlink()
        else:
            (model / name).write_bytes(content)


def _whole(service: Service, known: Known, *, detail: str = "short") -> dict[str, object]:
    with service.asking() as asking:
        answers = {each: _predict(asking, service, each, detail=detail) for each in known}
    wrong = sum(_operations(told) != known[prompt] for prompt, told in answers.items())
    return {"predictions": len(answers), "wrong": wrong}


def _without_ranker(service: Service) -> dict[str, object]:
    with service.asking() as asking:
        answers = [_predict(asking, service, prompt) for prompt in _prompts()]
        health = asking.get(f"{service.place}/health").json()
    sure = [each["confidence"] for told in answers for each in told["predictions"]]
    methods = Counter(told["metadata"]["fallback_method"] for told in answers)
    return {
        "predictions": len(answers),
        "wrong": sum(each is not None for each in sure) + sum(not _operations(t) for t in answers),
        "methods": dict(methods),
        "health": health["status"],
        "reason_told": health["components"]["ranker"]["reason"] is not None,
    }


def _redis_away(
    service: Service, known: Known, redis: RedisServer, seconds: float
) -> dict[str, object]:
    with _Users(service, known) as users:
        time.sleep(1)
        before = _limits(service)
        redis.stop()
        time.sleep(seconds)
        during = _limits(service)
        moment = time.perf_counter()
        redis.start()
        back = users.back_after(moment)
        while (after := _limits(service)) != before:
            if time.perf_counter() > moment + _BACK_WITHIN:
                break
            time.sleep(0.05)
        shared = time.perf_counter() - moment
        time.sleep(1)
    return {
        **users.told(),
        "limits": [before, during, after],
        "seconds_until_back": back,
        "seconds_until_shared_again": round(shared, 2),
    }


def _hangs(service: Service, known: Known, server: Postgres, seconds: float) -> dict[str, object]:
    slowest, left_alone = 0.0, None
    with _Users(service, known) as users, service.asking() as asking:
        time.sleep(1)
        with server.hanging():
            moment = time.perf_counter()
            while (begun := time.perf_counter()) < moment + seconds:
                told = asking.get(f"{service.place}/health").json()["components"]["outside"]
                slowest = max(slowest, time.perf_counter() - begun)
                if left_alone is None and any(side["status"] != "closed" for side in told):
                    left_alone = round(time.perf_counter() - moment, 2)
                time.sleep(0.2)
            answered = len([each for each in users.times() if each > moment])
        back = users.back_after(time.perf_counter())
        time.sleep(1)
    return {
        **users.told(),
        "predictions_meanwhile": answered,
        "seconds_of_health": round(slowest, 2),
        "seconds_until_left_alone": left_alone,
        "seconds_until_back": back,
    }


def _limits(service: Service) -> str:
    with service.asking() as asking:
        told = asking.get(f"{service.place}/health").json()
    return str(told["components"]["access"]["limits"])


if __name__ == "__main__":
    main()
