"""`nextcall jobs` and `nextcall model`: what the service keeps, and the way back."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree

import pytest
from typer.testing import CliRunner, Result

from nextcall.access.audit_search import search
from nextcall.cli.main import app, main
from nextcall.jobs.job import Job, Stage
from nextcall.jobs.store import JobStore
from nextcall.locations import packaged_model
from nextcall.ranking.model_files import load_ranker
from nextcall.ranking.model_versions import InUse, ModelVersions
from nextcall.storage.database import Database
from nextcall.storage.migrations import migrate
from nextcall.training.judged import Judged, OnSameQueries, save_judged

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    made = f"sqlite:///{tmp_path}/kept.db"
    monkeypatch.setenv("NEXTCALL_DATABASE_URL", made)
    monkeypatch.delenv("NEXTCALL_AUDIT_SECRET", raising=False)
    return made


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def refusal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> str:
    monkeypatch.setattr(sys, "argv", ["nextcall", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    return capsys.readouterr().err


def kept_jobs(url: str) -> tuple[Job, Job]:
    """Keep a job that runs, and one that waits."""
    with Database(url) as database:
        migrate(database)
        store = JobStore(database)
        first, second = (store.add("train", {"seed": 1}, scope="a", now=NOW) for _ in range(2))
        held = store.claim("one", scope="a", now=NOW, lapse=timedelta(days=1))
        assert held is not None
        store.beat(held, now=NOW, stage=Stage(name="Embedding", started_at=NOW, done=1, total=4))
        return first, second


def test_jobs_are_listed_shown_and_cancelled(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs, waits = kept_jobs(url)
    _, newest, oldest = run("jobs", "list").stdout.splitlines()
    assert newest.split()[:3] == [waits.job_id, "train", "queued"]
    assert oldest.split()[:3] == [runs.job_id, "train", "running"]
    assert oldest.split()[-1] == "Embedding"
    told = json.loads(run("jobs", "show", runs.job_id).stdout)
    assert (told["stage"]["percent"], told["arguments"]) == (25.0, {"seed": 1})
    assert run("jobs", "cancel", waits.job_id).stderr == "It is cancelled.\n"
    assert "its worker ends it" in run("jobs", "cancel", runs.job_id).stderr
    with Database(url) as database:
        events = [each.event for each in search(database)]
        assert [each.details["job_id"] for each in events] == [runs.job_id, waits.job_id]
        assert JobStore(database).get(runs.job_id).cancel_asked
    assert "The job has ended: it is" in refusal(
        monkeypatch, capsys, "jobs", "cancel", waits.job_id
    )
    assert "There is no job 'x'." in refusal(monkeypatch, capsys, "jobs", "show", "x")


def test_the_way_back_to_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    versions = ModelVersions(tmp_path / "versions")
    monkeypatch.setenv("NEXTCALL_MODEL_VERSIONS", str(versions.folder))
    (line,) = run("model", "list").stdout.splitlines()[1:]
    assert line.split()[:5] == ["(of", "the", "start)", "in", "use"]
    folder = copytree(packaged_model(), tmp_path / "trained")
    found = OnSameQueries(
        ndcg=0.5, present_ndcg=0.25, difference=0.25, ci_lower=0.125, ci_upper=None, queries=1234,
        groups=7,
    )  # fmt: skip
    judged = Judged(against="a", on_same=found, left_out=0, may_have_learned=False)
    save_judged(judged, folder, trees=load_ranker(folder)[0].digest)
    name = versions.publish(folder)
    versions.use(InUse().to(name))
    first, second = run("model", "list").stdout.splitlines()[1:]
    assert first.split()[:3] == [name, "in", "use"]
    assert first.split()[-4:] == ["0.250", "0.125", "-", "1,234"]
    assert second.split()[3] == "before"
    assert "the model that the service is started with" in run("model", "rollback").stderr
    assert versions.in_use() == InUse()
    assert "no model before the one in use" in refusal(monkeypatch, capsys, "model", "rollback")
    versions.use(InUse(current=None, before=(name,)))
    (versions.path(name) / "ranker.json").write_text("")
    assert "files must match manifest.json" in run("model", "list").stdout
    assert "files must match manifest.json" in refusal(monkeypatch, capsys, "model", "rollback")
    assert versions.in_use().current is None


def test_the_way_back_begins_where_another_process_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    versions = ModelVersions(tmp_path / "versions")
    folder = tmp_path / "trained"
    folder.mkdir()
    names = []
    for number in range(2):
        (folder / "ranker.json").write_text(f"{number}")
        names.append(versions.publish(folder))
    one, two = names
    versions.use(InUse(current=one, before=(None,)))
    command = [sys.executable, "-m", "nextcall.cli.main", "model", "rollback"]
    with versions.changing():
        back = subprocess.Popen(
            [*command, "--versions", str(versions.folder)], stderr=subprocess.PIPE, text=True
        )
        with pytest.raises(subprocess.TimeoutExpired):  # it waits; were it late, it still would
            back.wait(3)
        versions.use(versions.in_use().to(two))
    said = back.communicate()[1]
    assert (back.returncode, said) == (0, f"In use: {one}.\n")
    assert versions.in_use() == InUse(current=one, before=(None,))
