"""What is deployed: the files, and the service started as the image starts it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep variables and the .env of whoever runs the tests from the settings."""
    for name in [name for name in os.environ if name.startswith("NEXTCALL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def deploy() -> Path:
    """Give the folder of what is deployed."""
    return DEPLOY


@pytest.fixture(scope="session")
def compose() -> Any:
    """Read the compose file."""
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


@pytest.fixture(scope="session")
def manifests() -> dict[str, Any]:
    """Read Kubernetes' manifests, by kind."""
    paths = (DEPLOY / "kubernetes").glob("*.yaml")
    read = [yaml.safe_load(path.read_text()) for path in paths if path.stem != "secret"]
    return {each["kind"]: each for each in read}


@pytest.fixture(scope="session")
def rules() -> list[Any]:
    """Read the rules of the alerts."""
    read = yaml.safe_load((DEPLOY / "alerts.yml").read_text())
    return [rule for group in read["groups"] for rule in group["rules"]]


@pytest.fixture(scope="session")
def panels() -> list[Any]:
    """Read the panels of the dashboard."""
    told = json.loads((DEPLOY / "grafana" / "dashboards" / "nextcall.json").read_text())
    panels: list[Any] = told["panels"]
    return panels


@pytest.fixture
def start() -> Iterator[Any]:
    """Give what runs the image's start script here; what it started is ended."""

    def run(variables: dict[str, str], *words: str) -> subprocess.Popen[str]:
        inherited = {k: v for k, v in os.environ.items() if not re.match("NEXTCALL_", k)}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        process = subprocess.Popen(
            [str(DEPLOY / "start.sh"), *words],
            env={**inherited, "PATH": path, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.enter_context(process)
        begun.callback(end, process)
        return process

    def end(process: "subprocess.Popen[str]") -> None:
        if process.poll() is None:
            process.terminate()
            try:
                process.communicate(timeout=60)
            finally:
                process.kill()

    with ExitStack() as begun:
        yield run
