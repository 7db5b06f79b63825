"""Prometheus and nginx with our configuration, before the real service."""

import json
import math
import os
import random
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from nextcall.access.keys import create_key
from nextcall.catalog.aws import read_aws
from nextcall.storage.opening import open_database
from nextcall.telemetry.families import FAMILIES

OF_OTHERS = {"up"}
WITHOUT_DATA = {"Faults by kind", "Guard: personal data, failed checks"}
PATIENCE = 120.0
PORTS = range(10_000, 30_000)  # of which no system gives one to who asks for any
PROGRAMS = ("nginx", "prometheus", "promtool")
START = Callable[..., "subprocess.Popen[str]"]


def program(name: str) -> str:
    """Find a program of Debian's; who is no root has not all of them on the path."""
    found = shutil.which(name, path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed (Debian's packages prometheus and nginx)")
    return found


def until(told: Callable[[], object], what: str) -> None:
    """Wait for something of another process."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            if told():
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < end, what
        time.sleep(0.05)


@contextmanager
def running(*words: str, folder: Path) -> Iterator[None]:
    with (folder / "said").open("a+") as said:
        process = subprocess.Popen(words, cwd=folder, stdout=said, stderr=said)
        try:
            yield
        finally:
            process.kill()
            process.wait(60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    public: int
    scraped: int
    service: int
    prometheus: int


@pytest.fixture
def ports() -> Ports:
    with ExitStack() as taken:
        found: set[int] = set()
        while len(found) < 4:
            port = random.choice(PORTS)
            try:
                taken.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:  # somebody has it
                continue
            found.add(port)
        public, scraped, service, prometheus = found
    return Ports(public=public, scraped=scraped, service=service, prometheus=prometheus)


@pytest.fixture
def variables(tmp_path: Path, ports: Ports, redis_url: str) -> dict[str, str]:
    """Tell the service what compose tells it, here."""
    assert all(program(name) for name in PROGRAMS)
    import botocore  # noqa: PLC0415  # only its folder is of interest

    (tmp_path / "botocore").mkdir()
    (tmp_path / "botocore" / "sqs").symlink_to(Path(botocore.__file__).parent / "data" / "sqs")
    read_aws(data=tmp_path / "botocore").save(tmp_path / "catalogs" / "aws.parquet")
    return {
        "NEXTCALL_ENVIRONMENT": "production",
        "NEXTCALL_HOST": "127.0.0.1",
        "NEXTCALL_PORT": str(ports.service),
        "NEXTCALL_DATA_DIR": str(tmp_path),
        "NEXTCALL_CACHE_DIR": str(tmp_path / "cache"),
        "NEXTCALL_SECRET": os.urandom(24).hex(),
        "NEXTCALL_AUDIT_SECRET": os.urandom(24).hex(),
        "NEXTCALL_REDIS_URL": redis_url,
        "NEXTCALL_TRUSTED_PROXIES": "127.0.0.1",
        "NEXTCALL_RATE_ADAPTIVE": "false",  # a machine may have other work
        "NEXTCALL_LOG_DIR": str(tmp_path / "logs"),  # nobody reads what is said
    }


@pytest.fixture
def keys(start: START, variables: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Make keys, that of Prometheus as the documentation says, while the service starts."""
    with open_database(f"sqlite:///{tmp_path}/nextcall.db") as database:
        guest, _ = create_key(database, "guest", now=datetime.now(UTC), role="guest")
    start(variables, "serve")
    often = ("--multiplier", "100")  # it scrapes fifteen times as often here
    made = start(variables, "keys", "create", "prometheus", "--role", "readonly", *often)
    return {"readonly": made.communicate(timeout=120)[0].strip(), "guest": guest}


@pytest.fixture
def behind_nginx(
    deploy: Path, tmp_path: Path, ports: Ports, keys: dict[str, str]
) -> Iterator[httpx.Client]:
    """Start nginx before the service; give what asks it."""
    nginx = program("nginx")
    assert all(key.startswith("nc_") for key in keys.values())
    text = (deploy / "nginx.conf").read_text()
    for of, here in (
        ("listen 8080", f"listen 127.0.0.1:{ports.public}"),
        ("listen 8081", f"listen 127.0.0.1:{ports.scraped}"),
        ("nextcall:8000", f"127.0.0.1:{ports.service}"),
        ("/tmp/", f"{tmp_path}/nginx/"),  # noqa: S108  # of the container
        ("/etc/nginx/tls/", f"{tmp_path}/nginx/tls/"),
    ):
        assert of in text
        text = text.replace(of, here)
    folder = tmp_path / "nginx"
    folder.mkdir()
    (folder / "nginx.conf").write_text(text)
    alone = "daemon off;" + (" user root;" if os.getuid() == 0 else "")
    words = [nginx, "-p", str(folder), "-c", "nginx.conf", "-e", "stderr", "-g", alone]
    done = subprocess.run([*words, "-t"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with running(*words, folder=folder), httpx.Client(timeout=60) as asking:
        asking.base_url = httpx.URL(f"http://127.0.0.1:{ports.public}")
        until(lambda: asking.get("/health").status_code == 200, "the service answers")
        yield asking


@pytest.fixture
def prometheus(
    behind_nginx: httpx.Client, deploy: Path, tmp_path: Path, ports: Ports, keys: dict[str, str]
) -> Iterator[httpx.Client]:
    """Start Prometheus with our files, quicker; give what asks it."""
    server, tool = program("prometheus"), program("promtool")
    folder = tmp_path / "prometheus"
    folder.mkdir()
    (folder / "key").write_text(keys["readonly"] + "\n")
    text = (deploy / "prometheus.yml").read_text()
    for of, here in (
        ("nginx:8081", f"127.0.0.1:{ports.scraped}"),
        ("/run/secrets/prometheus_key", f"{folder}/key"),
        ("15s", "1s"),
    ):
        assert of in text
        text = text.replace(of, here)
    (folder / "prometheus.yml").write_text(text)
    shutil.copy(deploy / "alerts.yml", folder)
    config = str(folder / "prometheus.yml")
    done = subprocess.run(
        [tool, "check", "config", config], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    words = [server, f"--config.file={config}", f"--storage.tsdb.path={folder}/data"]
    words += [f"--web.listen-address=127.0.0.1:{ports.prometheus}"]
    assert behind_nginx.get("/health").is_success
    with running(*words, folder=folder), ExitStack() as opened:
        asking = opened.enter_context(
            httpx.Client(base_url=f"http://127.0.0.1:{ports.prometheus}/api/v1/", timeout=60)
        )
        yield asking


def _status(asking: httpx.Client, key: dict[str, str]) -> int:
    return asking.post("/predict", json={"prompt": "list the queues"}, headers=key).status_code


def found(prometheus: httpx.Client, query: str) -> list[Any]:
    answer = prometheus.get("query", params={"query": query})
    assert answer.status_code == 200, f"{query}: {answer.text}"
    results: list[Any] = answer.json()["data"]["result"]
    return results


def has_numbers(prometheus: httpx.Client, query: str) -> bool:
    return any(not math.isnan(float(each["value"][1])) for each in found(prometheus, query))


def test_dashboard_and_alerts_ask_for_metrics_that_there_are(
    panels: list[Any], rules: list[Any]
) -> None:
    known = {f"{family.name}{end}" for family in FAMILIES if family.kind == "histogram"
             for end in ("_bucket", "_sum", "_count")}  # fmt: skip
    known |= {family.name for family in FAMILIES if family.kind != "histogram"}
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    asked = {
        name for query in [*queries, *(rule["expr"] for rule in rules)]
        for name in re.findall(r"(\w+)\{", query)
    }  # fmt: skip
    assert asked - OF_OTHERS <= known
    assert asked >= OF_OTHERS


def test_the_dashboard_has_all_its_parts(panels: list[Any], deploy: Path) -> None:
    titles = " ".join(panel["title"].lower() for panel in panels)
    wanted = ("requests", "latency", "failed", "cache", "guard", "limits", "memory", "cold start")
    assert [word for word in wanted if word not in titles] == []
    (source,) = re.findall(
        r"uid: (\w+)", (deploy / "grafana/provisioning/datasources/prometheus.yaml").read_text()
    )
    of = {json.dumps(each["datasource"]) for panel in panels for each in [panel, *panel["targets"]]}
    assert of == {json.dumps({"type": "prometheus", "uid": source})}
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels)


def test_prometheus_reads_the_service_and_answers_every_query(
    prometheus: httpx.Client,
    behind_nginx: httpx.Client,
    ports: Ports,
    keys: dict[str, str],
    panels: list[Any],
    rules: list[Any],
) -> None:
    scraped = f"http://127.0.0.1:{ports.scraped}/metrics"
    statuses = {
        role: httpx.get(scraped, headers={"Authorization": f"Bearer {key}"}).status_code
        for role, key in {**keys, "nobody": "nc_" + "0" * 40}.items()
    }
    assert statuses == {"readonly": 200, "guest": 403, "nobody": 401}
    assert httpx.get(scraped).status_code == 401
    assert httpx.get(scraped.replace("/metrics", "/health")).status_code == 404

    key = {"X-API-Key": keys["guest"]}
    until(lambda: found(prometheus, 'up{job="nextcall"} == 1'), "the target is up")
    until(lambda: found(prometheus, "nextcall_credentials_fresh"), "something is scraped")
    for prompt in ("list the queues", "list the queues", "; rm -rf /"):
        asked = behind_nginx.post("/predict", json={"prompt": prompt}, headers=key)
        assert asked.status_code == (400 if "rm" in prompt else 200)
    # A counter grows from where it was first seen.
    until(lambda: found(prometheus, "sum(cache_hits_total) >= 1"), "the first are counted")
    until(
        lambda: 429 in [_status(behind_nginx, key) for _ in range(10)],
        "more is asked than one may in a minute",
    )
    until(lambda: found(prometheus, "sum(cache_hits_total) > 40"), "hits are counted")
    refused = 'rate(http_requests_total{status="429"}[1m])'
    until(lambda: found(prometheus, refused), "refusals are counted")

    for panel in panels:
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", "1m")
            if panel["title"] in WITHOUT_DATA:
                found(prometheus, query)
            else:  # not at once where a scrape was too late: then nothing is told until the next
                until(partial(has_numbers, prometheus, query), query)
    told = prometheus.get("rules").json()["data"]["groups"][0]["rules"]
    assert [rule["name"] for rule in told] == [rule["alert"] for rule in rules]
    until(
        lambda: (
            {
                rule["health"]
                for rule in prometheus.get("rules").json()["data"]["groups"][0]["rules"]
            }
            == {"ok"}
        ),
        "every rule is evaluated",
    )
    down = 'ALERTS{alertname=~"NextcallDown|NextcallAbsent"}'
    until(lambda: not found(prometheus, down), "no scrape is late")
    assert found(prometheus, 'ALERTS{alertname="NextcallErrors"}') == []
