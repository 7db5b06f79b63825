"""Requests a second that do nothing: this service beside BentoML, LitServe and MLServer.

    python benchmarks/no_op_http.py --peer-python /venv/with/bentoml/bin/python --peer-python ...

Each server is a process of its own with one worker, on loopback, and answers a small JSON body with
a small JSON body. Ours: ``route``, a raw ASGI route on the server as `nextcall serve` sets it up;
``whole_no_op``, the same route behind all that the service in production puts before it (key,
limits, body, metrics, a line of the log); ``whole_kept``, `POST /predict` whose answer is kept. The
peers' programs are the shortest that their documentation has, their access logs off; MLServer
computes in its own process, which is the fastest of its ways here. They run where an interpreter of
``--peer-python`` has them, and are left out otherwise. All are asked by turns over connections that
stay open, by ``wrk`` where it is installed, else by a client of asyncio. Ratios are of each round;
given are medians. Where others use the machine too, what a server and its processes compute for a
request says more: ``..._over_by_cpu``. Prints JSON, or writes it to ``--output``.
"""

import argparse
import asyncio
import itertools
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NoReturn

import httpx
import uvloop
from json_output import give, parser_of, rounded
from predict_http import whole_service
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from trials_http import ask, cpu_seconds

from nextcall.access.keys import create_key
from nextcall.serve.process.server import address, bind, run
from nextcall.storage.opening import open_database

_OWN: Final = ("route", "whole_no_op", "whole_kept")
_STARTS_WITHIN: Final = 180.0  # seconds
_BODY: Final = b'{"prompt": "show me the user number 7"}'
_V2: Final = (
    b'{"inputs": [{"name": "prompt", "shape": [1], "datatype": "BYTES", "data": ["show me"]}]}'
)
_BENTO: Final = """
import bentoml
@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class NoOp:
    @bentoml.api
    def predict(self, prompt: str) -> dict[str, str]:
        return {"answer": "ok"}
"""
_LIT: Final = """
import sys
import litserve
class NoOp(litserve.LitAPI):
    def setup(self, device):
        pass
    def decode_request(self, request):
        return request["prompt"]
    def predict(self, prompt):
        return "ok"
    def encode_response(self, answer):
        return {"answer": answer}
if __name__ == "__main__":
    server = litserve.LitServer(NoOp(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, log_level="warning",
        access_log=False, generate_client_file=False,
    )
"""
_ML: Final = """
from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput
class NoOp(MLModel):
    async def load(self):
        return True
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        out = ResponseOutput(name="answer", shape=[1], datatype="BYTES", data=["ok"])
        return InferenceResponse(model_name=self.name, outputs=[out])
"""
_VERSION: Final = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that answers."""

    process: int
    """Its number; it may have others below it."""
    url: str
    headers: Mapping[str, str]
    body: bytes


def main() -> None:
    """Measure, or be one of our servers."""
    parser = parser_of(__doc__, rounds=5)
    parser.add_argument("--peer-python", action="append", default=[], help="may be given twice")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement")
    parser.add_argument("--serve", choices=["route", "whole"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        _serve(arguments.serve, arguments.folder)
        return
    signal.signal(signal.SIGTERM, _leave)  # the servers end with it
    with TemporaryDirectory() as folder, ExitStack() as opened:
        servers = _own(Path(folder), opened)
        peers, versions = _peers(Path(folder), arguments.peer_python, opened)
        servers |= peers
        rates, costs = _measure(
            servers, arguments.rounds, connections=arguments.connections, seconds=arguments.seconds
        )
    give(
        {
            "benchmark": "no_op_http",
            "client": "wrk" if shutil.which("wrk") else "asyncio",
            "connections": arguments.connections,
            "versions": versions,
            "requests_a_second": {
                name: round(statistics.median(each)) for name, each in rates.items()
            },
            "microseconds_of_cpu": {
                name: round(1e6 * statistics.median(each)) for name, each in costs.items()
            },
            **{
                f"{own}_over": {name: _ratio(rates[own], rates[name]) for name in versions}
                for own in _OWN
            },
            **{
                f"{own}_over_by_cpu": {name: _ratio(costs[name], costs[own]) for name in versions}
                for own in _OWN
            },
            "samples": {
                "requests_a_second": rounded(rates),
                "microseconds_of_cpu": {
                    name: rounded([1e6 * value for value in each]) for name, each in costs.items()
                },
            },
        },
        arguments.output,
    )


def _leave(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)


async def _no_op(receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"15")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"answer":"ok"}'})


class _NoOp:
    """A route of Starlette's that is ASGI; a function would be given a request."""

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        await _no_op(receive, send)


def _serve(kind: str, folder: Path) -> None:
    with bind("127.0.0.1", 0) as listening, ExitStack() as opened:
        app = _route
        if kind == "whole":
            app = opened.enter_context(whole_service(folder, None))
            app.router.routes.insert(0, Route("/no-op", _NoOp(), methods=["POST"]))
        print(address(listening), flush=True)
        run(app, listening)


async def _route(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
    else:
        await _no_op(receive, send)


def _own(folder: Path, opened: ExitStack) -> dict[str, Server]:
    with open_database(f"sqlite:///{folder}/a.db") as database:
        # A route that no table names asks for all permissions.
        key = create_key(database, "load", role="admin", now=datetime.now(UTC))[0]
    places = {}
    for kind in ("route", "whole"):
        command = [sys.executable, __file__, "--serve", kind, "--folder", str(folder)]
        process = opened.enter_context(_running(command, pipe=True))
        assert process.stdout is not None  # noqa: S101  # it was asked for
        places[kind] = (process.stdout.readline().decode().strip(), process)
    route, whole = places["route"], places["whole"]
    headers = {"x-api-key": key}
    servers = {
        "route": _answering(route[1], route[0], _BODY),
        "whole_no_op": _answering(whole[1], f"{whole[0]}/no-op", _BODY, headers),
        "whole_kept": _answering(whole[1], f"{whole[0]}/predict", _BODY, headers),
    }
    told = httpx.post(servers["whole_kept"].url, content=_BODY, headers=headers).headers["x-cache"]
    if told != "HIT":
        raise SystemExit(f"error: the answer should be kept, got {told}")
    return servers


def _peers(
    folder: Path, pythons: list[str], opened: ExitStack
) -> tuple[dict[str, Server], dict[str, str]]:
    """Start those that an interpreter has."""
    Path(folder, "bento.py").write_text(_BENTO)
    Path(folder, "lit.py").write_text(_LIT)
    model = folder / "mlserver"
    model.mkdir()
    Path(model, "no_op.py").write_text(_ML)
    port = {name: _free_port() for name in ("bentoml", "litserve", "mlserver", "grpc")}
    card = {"name": "no-op", "implementation": "no_op.NoOp"}
    Path(model, "model-settings.json").write_text(json.dumps(card))
    settings: dict[str, object] = {
        "debug": False,
        "host": "127.0.0.1",
        "http_port": port["mlserver"],
        "grpc_port": port["grpc"],
        "metrics_endpoint": None,
        "parallel_workers": 0,
    }
    Path(model, "settings.json").write_text(json.dumps(settings))
    bento = ["-m", "bentoml", "serve", "bento:NoOp", "--host", "127.0.0.1", "--port"]
    commands = {
        "bentoml": ([*bento, str(port["bentoml"])], "/predict", _BODY),
        "litserve": (["lit.py", str(port["litserve"])], "/predict", _BODY),
        "mlserver": (
            ["-m", "mlserver.cli.main", "start", str(model)],
            "/v2/models/no-op/infer",
            _V2,
        ),
    }
    servers, versions = dict[str, Server](), dict[str, str]()
    for name, (command, path, body) in commands.items():
        for python in pythons:
            asked = [python, "-c", _VERSION, name]
            told = subprocess.run(asked, capture_output=True, text=True, check=False)
            if told.returncode == 0:
                where = model if name == "mlserver" else folder
                started = opened.enter_context(_running([python, *command], where=where))
                url = f"http://127.0.0.1:{port[name]}{path}"
                servers[name] = _answering(started, url, body)
                versions[name] = told.stdout.strip()
                break
    return servers, versions


@contextmanager
def _running(
    command: list[str], *, where: Path | None = None, pipe: bool = False
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program, and all that it starts, until the block ends."""
    own = {"BENTOML_DO_NOT_TRACK": "True", "PYTHONUNBUFFERED": "1"}
    environment = {**os.environ, **own}
    if where is not None:
        del environment["PYTHONPATH"]
    with TemporaryDirectory() as folder, Path(folder, "log").open("w+b") as log:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE if pipe else log,
            stderr=log,
            cwd=where,
            env=environment,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _answering(
    process: "subprocess.Popen[bytes]", url: str, body: bytes, headers: Mapping[str, str] = {}
) -> Server:
    """Wait until it answers."""
    sent = {"content-type": "application/json", **headers}
    until = time.perf_counter() + _STARTS_WITHIN
    status = None
    while process.poll() is None and time.perf_counter() < until:
        try:
            status = httpx.post(url, content=body, headers=sent).status_code
        except httpx.HTTPError:
            time.sleep(0.2)
            continue
        if status == 200:
            return Server(process=process.pid, url=url, headers=sent, body=body)
        time.sleep(0.2)
    raise SystemExit(f"error: no server answered at {url}, last with {status}")


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def _measure(
    servers: Mapping[str, Server], rounds: int, *, connections: int, seconds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Ask by turns; give requests a second and CPU seconds a request."""
    wrk = shutil.which("wrk")
    rates: dict[str, list[float]] = {name: [] for name in servers}
    costs: dict[str, list[float]] = {name: [] for name in servers}
    for number in range(-1, rounds):  # the first warms
        for name, server in servers.items():
            before, begin = _cpu_of_tree(server.process), time.perf_counter()
            if wrk is not None:
                answered = _by_wrk(wrk, server, connections, seconds)
            else:
                answered = _by_asyncio(server, connections, seconds)
            taken = time.perf_counter() - begin
            if number >= 0:
                rates[name].append(answered / taken)
                costs[name].append((_cpu_of_tree(server.process) - before) / answered)
    return rates, costs


def _by_wrk(wrk: str, server: Server, connections: int, seconds: int) -> int:
    with TemporaryDirectory() as folder:
        script = Path(folder, "ask.lua")
        headers = "".join(
            f"wrk.headers[{n!r}] = {value!r}\n" for n, value in server.headers.items()
        )
        body = server.body.decode()
        script.write_text(f"wrk.method = 'POST'\nwrk.body = [[{body}]]\n{headers}")
        options = ["-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), server.url]
        told = subprocess.run([wrk, *options], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise SystemExit(f"error: {server.url} failed:\n{told}")
    found = re.search(r"(\d+) requests in", told)
    if found is None:
        raise SystemExit(f"error: wrk said {told}")
    return int(found[1])


def _by_asyncio(server: Server, connections: int, seconds: int) -> int:
    place, _, path = server.url.removeprefix("http://").partition("/")
    lines = "".join(f"{name}: {value}\r\n" for name, value in server.headers.items())
    head = (
        f"POST /{path} HTTP/1.1\r\nhost: {place}\r\n{lines}"
        f"content-length: {len(server.body)}\r\n\r\n"
    )
    requests = itertools.repeat(head.encode() + server.body)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(ask(place, requests, connections=connections, seconds=seconds))


def _cpu_of_tree(process: int) -> float:
    """Give the CPU seconds of a process and of all below it."""
    parents = dict[int, int]()
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            told = each.read_text()
        except (FileNotFoundError, ProcessLookupError):  # it ended
            continue
        parents[int(told.split(maxsplit=1)[0])] = int(told.rpartition(")")[2].split()[1])
    tree, found = {process}, [process]
    while found:
        found = [one for one, parent in parents.items() if parent in found and one not in tree]
        tree.update(found)
    return sum(map(cpu_seconds, tree))


def _ratio(one: list[float], other: list[float]) -> float:
    return float(f"{statistics.median(a / b for a, b in zip(one, other, strict=True)):.3g}")


if __name__ == "__main__":
    main()
