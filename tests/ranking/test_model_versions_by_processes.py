"""Processes that change which version is in use at once: no change is lost, the file is whole."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nextcall.ranking import model_versions
from nextcall.ranking.model_versions import KEPT, InUse, ModelVersions

PROCESSES, ROUNDS = 4, 12

CHANGES = f"""
import sys, time
from pathlib import Path
from nextcall.ranking.model_versions import ModelVersions

folder, own = Path(sys.argv[1]), sys.argv[2]
versions, trained = ModelVersions(folder / "versions"), folder / own
(folder / f"ready-{{own}}").touch()
while not (folder / "go").exists():
    time.sleep(0.001)
for number in range({ROUNDS}):
    (trained / "ranker.json").write_text(f"{{own}} {{number}}")
    version = versions.publish(trained)
    with versions.changing():
        versions.use(versions.in_use().to(version))
    print("to", version)
    if number % 3 == 2:
        with versions.changing():
            before = versions.in_use()
            versions.use(before.back())
        print("from", before.current)
"""

HOLDS = """
import sys
from pathlib import Path
from nextcall.ranking.model_versions import ModelVersions

with ModelVersions(Path(sys.argv[1])).changing():
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def python(code: str, *arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """Run code in a process of its own, which ends with the block."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def trained(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "ranker.json").write_text(text)
    return folder


def test_no_change_of_many_processes_is_lost(tmp_path: Path) -> None:
    versions = ModelVersions(tmp_path / "versions")
    started = []
    for number in range(PROCESSES):
        folder = trained(tmp_path / f"{number}", "")
        command = [sys.executable, "-c", CHANGES, str(tmp_path), folder.name]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    until = time.monotonic() + 120
    while len(list(tmp_path.glob("ready-*"))) < PROCESSES:
        assert time.monotonic() < until
        time.sleep(0.01)
    (tmp_path / "go").touch()
    while any(process.poll() is None for process in started):
        order = versions.in_use().order()  # raises where the file is not whole
        assert max(Counter(order).values()) == 1
    told = [process.communicate()[0].split() for process in started]
    assert [process.returncode for process in started] == [0] * PROCESSES
    said = Counter[tuple[str, str]]()
    for words in told:
        said.update(zip(words[::2], words[1::2], strict=True))
    came = Counter({version: n for (way, version), n in said.items() if way == "to"})
    went = Counter({version: n for (way, version), n in said.items() if way == "from"})
    assert came.total() == PROCESSES * ROUNDS
    assert went.total() == PROCESSES * (ROUNDS // 3)
    *after, first = versions.in_use().order()
    assert first is None
    assert Counter(after) == came - went
    for version in came:  # nobody removed what another had published a moment before
        versions.verify(version)


def test_the_lock_of_a_process_that_was_killed_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = ModelVersions(tmp_path / "versions")
    with python(HOLDS, versions.folder) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        monkeypatch.setattr(model_versions, "WAIT_SECONDS", 0.05)
        with (
            pytest.raises(TimeoutError, match=r"^lock must be free within 0\.05 seconds"),
            versions.changing(),
        ):
            pass
        assert versions.in_use() == InUse()  # who only reads waits for nobody
        holder.kill()
        holder.wait()
        with versions.changing():
            versions.use(InUse())


def test_what_was_published_lately_stays_until_it_is_used(tmp_path: Path) -> None:
    versions = ModelVersions(tmp_path / "versions")
    names = [
        versions.publish(trained(tmp_path / "a", f"{number}")) for number in range(2 * KEPT + 1)
    ]
    os.utime(versions.path(names[0]), (1, 1))
    os.utime(versions.path(names[1]), (1, 1))
    assert versions.publish(trained(tmp_path / "a", "1")) == names[1]  # wanted again
    versions.use(InUse(current=names[-1]))
    assert set(versions.names()) == set(names[1:])
