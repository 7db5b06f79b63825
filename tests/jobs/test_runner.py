"""Jobs are done by real processes: to their end, until they fail, are cancelled, or are killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from nextcall.jobs.child import FOLDER_VARIABLE, LEFT_ALONE, job_progress
from nextcall.jobs.job import Job, JobRefusedError, Status
from nextcall.jobs.process import JobProcess
from nextcall.jobs.runner import JobRunner, RunnerSettings
from nextcall.jobs.store import JobStore
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate

LONG = 60.0  # seconds after which a test is given up
ATTACHED = "import os, sys, time; from nextcall.jobs.child import attach, job_progress; attach();"
ENDLESS = f"""{ATTACHED}
for _ in job_progress()(range(10), description="Waiting"):
    open("pid", "w").write(str(os.getpid())); time.sleep(0.3)
time.sleep(600)
"""


@dataclass
class Scripted:
    """Runs the script that a job names, and takes what it left."""

    folder: Path
    finishing: Callable[[Job, Path], Mapping[str, Any]] | None = None
    outputs: list[Path] = field(default_factory=list)

    def command(self, job: Job, output: Path) -> list[str]:
        self.outputs.append(output)
        return [sys.executable, "-c", job.arguments["script"], str(output)]

    def finish(self, job: Job, output: Path) -> Mapping[str, Any]:
        if self.finishing is not None:
            return self.finishing(job, output)
        return {"text": output.read_text()}


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[JobStore]:
    with Database(f"sqlite:///{tmp_path}/kept.db") as database:
        migrate(database)
        yield JobStore(database)


@pytest.fixture
def kind(tmp_path: Path) -> Scripted:
    return Scripted(tmp_path)


def runner(kept: JobStore, kind: Scripted, **given: Any) -> JobRunner:
    settings = RunnerSettings(**{"poll": 0.02, "nice": 3} | given.pop("settings", {}))
    folder = kind.folder / "jobs"
    return JobRunner(kept, {"script": kind}, scope="a", folder=folder, settings=settings, **given)


def ask(kept: JobStore, script: str, **given: Any) -> Job:
    named: dict[str, Any] = {"scope": "a", "now": datetime.now(UTC)} | given
    return kept.add("script", {"script": script}, **named)


def wait_for(kept: JobStore, job: Job, is_so: Callable[[Job], bool]) -> Job:
    until = time.monotonic() + LONG
    while not is_so(found := kept.get(job.job_id)):
        assert time.monotonic() < until, found
        time.sleep(0.02)
    return found


def ended(kept: JobStore, job: Job) -> Job:
    return wait_for(kept, job, lambda found: found.has_ended)


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def gone(pid: int) -> bool:
    until = time.monotonic() + LONG
    while is_there(pid):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def test_jobs_are_done_one_after_the_other(kept: JobStore, kind: Scripted) -> None:
    script = "import sys, time; open(sys.argv[1], 'w').write(f'{time.time()}'); time.sleep(0.2)"
    first, second = ask(kept, script), ask(kept, script)
    heard: list[tuple[str, Status]] = []
    told = lambda job, status: heard.append((job.job_id, status))  # noqa: E731
    with runner(kept, kind, heard=told):
        one, two = ended(kept, first), ended(kept, second)
    assert (one.status, two.status, one.reason) == ("done", "done", None)
    assert one.result is not None
    assert two.result is not None
    assert float(two.result["text"]) - float(one.result["text"]) >= 0.2
    assert heard == [
        (job.job_id, status) for job in (first, second) for status in ("running", "done")
    ]
    assert list((kind.folder / "jobs").iterdir()) == []


def test_a_process_stands_back_and_knows_no_secret(
    kept: JobStore, kind: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTCALL_SECRET", "hidden")
    told = """
names = sorted(name for name in os.environ if name.startswith("NEXTCALL_"))
open(sys.argv[1], "w").write(f"{os.nice(0)} {names}")
"""
    job = ask(kept, ATTACHED + told)
    with runner(kept, kind, settings={"environment": {"NEXTCALL_DATA_DIR": "d"}}):
        done = ended(kept, job)
    names = ["NEXTCALL_DATA_DIR", FOLDER_VARIABLE, "NEXTCALL_JOB_NICE"]
    assert done.result == {"text": f"{os.nice(0) + 3} {sorted(names)}"}


def test_the_stage_is_told_while_it_runs(kept: JobStore, kind: Scripted) -> None:
    job = ask(kept, ENDLESS)
    with runner(kept, kind):
        found = wait_for(kept, job, lambda one: one.stage is not None and one.stage.done >= 2)
        kept.cancel(job.job_id, now=datetime.now(UTC))
        end = ended(kept, job)
    assert found.stage is not None
    assert (found.status, found.stage.name, found.stage.total) == ("running", "Waiting", 10)
    assert (end.status, end.result) == ("cancelled", None)


@pytest.mark.parametrize("obeys", [True, False])
def test_a_cancelled_job_has_no_process_any_more(
    kept: JobStore, kind: Scripted, monkeypatch: pytest.MonkeyPatch, *, obeys: bool
) -> None:
    monkeypatch.setattr("nextcall.jobs.process._PATIENCE", 0.5)
    deaf = "" if obeys else "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    job = ask(kept, deaf + ENDLESS)
    with runner(kept, kind):
        wait_for(kept, job, lambda one: one.stage is not None and one.stage.done >= 1)
        pid = int((kind.outputs[0].parent / "pid").read_text())
        kept.cancel(job.job_id, now=datetime.now(UTC))
        assert ended(kept, job).status == "cancelled"
        assert gone(pid)


CHILD = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
"""Would outlive all but signal 9."""


@pytest.mark.parametrize("end", ["", "raise SystemExit(3)", "os.kill(os.getpid(), 9)"])
def test_what_a_process_started_and_left_behind_ends_with_its_job(
    kept: JobStore, kind: Scripted, end: str
) -> None:
    started = f"subprocess.Popen([sys.executable, '-c', {CHILD!r}], stdin=subprocess.DEVNULL)"
    mark = kind.folder / "child"
    job = ask(
        kept,
        f"import os, subprocess, sys, pathlib; child = {started}; child.returncode = 0;"
        f"pathlib.Path({str(mark)!r}).write_text(str(child.pid));"
        f"open(sys.argv[1], 'w').write('made'); {end}",
    )
    with runner(kept, kind):
        assert ended(kept, job).status == ("failed" if end else "done")
        assert gone(int(mark.read_text()))


def test_a_process_that_was_stopped_is_reaped_and_its_code_stays(tmp_path: Path) -> None:
    with JobProcess([sys.executable, "-c", "raise SystemExit(7)"], tmp_path, nice=0) as process:
        until = time.monotonic() + LONG
        while process.code is None:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert process.code == 7
        assert process.failure() == "The job's process failed with exit code 7."
    assert process.code == 7
    assert not Path(f"/proc/{process.pid}").exists()
    process.stop()  # once more: nobody is signalled
    assert process.code == 7


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("raise SystemExit(3)", "The job's process failed with exit code 3."),
        (
            "import sys; print('error: seed must be 0.', file=sys.stderr); sys.exit(2)",
            "seed must be 0.",
        ),
        (
            "import os; os.kill(os.getpid(), 9)",
            "The job's process was ended by signal 9 (SIGKILL).",
        ),
        ("pass", r"No such file or directory"),
    ],
)
def test_a_job_that_fails_says_why(
    kept: JobStore, kind: Scripted, script: str, reason: str
) -> None:
    job = ask(kept, script)
    with runner(kept, kind):
        end = ended(kept, job)
    assert (end.status, end.attempt) == ("failed", 1)
    assert reason in str(end.reason)


def test_what_is_made_may_be_refused(kept: JobStore, kind: Scripted) -> None:
    def refuse(*_: object) -> Mapping[str, Any]:
        raise JobRefusedError("It is worse.", result={"by": 0.5})

    kind.finishing = refuse
    job = ask(kept, "pass")
    with runner(kept, kind):
        end = ended(kept, job)
    assert (end.status, end.reason, end.result) == ("refused", "It is worse.", {"by": 0.5})


def test_a_fault_ends_its_job_only(kept: JobStore, kind: Scripted) -> None:
    faults = iter([RuntimeError("secret words"), None])

    def fail(*_: object) -> Mapping[str, Any]:
        if (fault := next(faults)) is not None:
            raise fault
        return {}

    kind.finishing = fail
    first, second = ask(kept, "pass"), ask(kept, "pass")
    with runner(kept, kind):
        assert ended(kept, first).reason == "A fault of the service; its log says where."
        assert ended(kept, second).status == "done"


def test_a_kind_that_is_not_known_fails(kept: JobStore, kind: Scripted) -> None:
    job = kept.add("other", {}, scope="a", now=datetime.now(UTC))
    with runner(kept, kind):
        assert ended(kept, job).reason == "There is no kind of job 'other'."


def test_a_job_has_so_much_time(kept: JobStore, kind: Scripted) -> None:
    job = ask(kept, ENDLESS)
    with runner(kept, kind, settings={"most_seconds": 1}):
        assert ended(kept, job).reason == "The job took longer than 1 seconds."


def test_a_runner_that_ends_in_order_gives_its_job_back(kept: JobStore, kind: Scripted) -> None:
    job = ask(kept, ENDLESS)
    heard: list[Status] = []
    with runner(kept, kind, heard=lambda _, status: heard.append(status)):
        wait_for(kept, job, lambda one: one.stage is not None and one.stage.done >= 1)
        pid = int((kind.outputs[0].parent / "pid").read_text())
    found = kept.get(job.job_id)
    assert (found.status, found.attempt, found.reason) == ("queued", 0, None)
    assert gone(pid)
    assert heard == ["running", "queued"]


class CutOff(JobStore):
    """A queue whose first answers are lost after they were kept."""

    lost = 3

    def claim(self, worker: str, **given: Any) -> Job | None:
        job = super().claim(worker, **given)
        if job is not None and self.lost:
            self.lost -= 1
            raise OperationalError(None, None, ConnectionResetError())
        return job


def test_a_claim_that_was_cut_off_takes_no_attempt(kept: JobStore, kind: Scripted) -> None:
    job = ask(kept, "import sys; open(sys.argv[1], 'w').write('made')")
    with runner(CutOff(kept.database), kind, settings={"lapse": 3600.0}):
        found = ended(kept, job)
    assert (found.status, found.attempt, found.reason) == ("done", 1, None)


def test_who_lost_a_job_stops_its_process(kept: JobStore, kind: Scripted) -> None:
    job = ask(kept, ENDLESS)
    with runner(kept, kind):
        wait_for(kept, job, lambda one: one.stage is not None and one.stage.done >= 1)
        pid = int((kind.outputs[0].parent / "pid").read_text())
        later = datetime.now(UTC) + timedelta(hours=1)
        taken = kept.claim("other", scope="a", now=later, lapse=timedelta(minutes=1))
        assert taken is not None
        assert gone(pid)
        assert kept.beat(taken, now=later) is False


SERVICE = """
import sys, threading, time
from pathlib import Path
from nextcall.jobs.runner import JobRunner, RunnerSettings
from nextcall.jobs.store import JobStore
from nextcall.storage.database import Database
class Kind:
    def command(self, job, output):
        return [sys.executable, "-c", job.arguments["script"], str(output)]
    def finish(self, job, output):
        return {"text": output.read_text()}
with Database(f"sqlite:///{sys.argv[1]}/kept.db") as database:
    store, settings = JobStore(database), RunnerSettings(poll=0.05, lapse=1.5)
    with JobRunner(store, {"script": Kind()}, scope="a", folder=Path(sys.argv[1], "jobs"),
                   settings=settings):
        threading.Event().wait()
"""


def test_a_job_is_begun_again_after_its_service_was_killed(kept: JobStore, tmp_path: Path) -> None:
    once = f"""{ATTACHED}
mark = sys.argv[1].rsplit("/jobs/")[0] + "/mark"
if not os.path.exists(mark):
    open(mark + "~", "w").write(str(os.getpid())); os.replace(mark + "~", mark); time.sleep(600)
open(sys.argv[1], "w").write("made")
"""
    job = ask(kept, once)

    def start() -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, "-c", SERVICE, str(tmp_path)])

    first = start()
    until = time.monotonic() + LONG
    while not (tmp_path / "mark").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    assert first.wait(LONG) == -signal.SIGKILL
    assert gone(int((tmp_path / "mark").read_text())), "the job's process outlived its service"
    second = start()
    try:
        end = ended(kept, job)
    finally:
        second.kill()
        second.wait(LONG)
    assert (end.status, end.attempt, end.result) == ("done", 2, {"text": "made"})


def test_what_a_job_left_that_was_killed_twice_is_removed(kept: JobStore, tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    strange = folder / "8d2b5f0e-0000-4000-8000-000000000000-1", folder / "notes-of-mine"
    for each in strange:
        each.mkdir(parents=True)
    (folder / "a-file").touch()
    job = ask(kept, ENDLESS)
    for attempt in (1, 2, 3):
        service = subprocess.Popen([sys.executable, "-c", SERVICE, str(tmp_path)])
        try:
            if attempt < 3:
                wait_for(kept, job, lambda one: one.attempt == attempt and one.stage is not None)  # noqa: B023  # called at once
                assert (folder / f"{job.job_id}-{attempt}").is_dir()
                continue
            assert ended(kept, job).status == "failed"
            until = time.monotonic() + LONG
            while (folder / f"{job.job_id}-2").exists():
                assert time.monotonic() < until
                time.sleep(0.02)
        finally:
            service.kill()
            service.wait(LONG)
    # Whose they are is not known here.
    assert set(folder.iterdir()) == {*strange, folder / "a-file"}


def test_a_process_that_is_left_alone_ends(tmp_path: Path) -> None:
    environment = {**os.environ, FOLDER_VARIABLE: str(tmp_path)}
    command = [sys.executable, "-c", f"{ATTACHED} time.sleep(600)"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(LONG) == LEFT_ALONE


def test_only_the_process_of_a_job_tells_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    assert job_progress() is None
