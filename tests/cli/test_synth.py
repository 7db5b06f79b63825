"""The verb `synth`, through its own application."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from nextcall.catalog import Catalog, describe_operation
from nextcall.cli.synth import synth
from nextcall.sessions.table import load_sessions

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
app.command()(synth)


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    names = ("ListUsers", "GetUser", "CreateUser", "UpdateUser", "DeleteUser", "ListRoles")
    operations = tuple(describe_operation(operation_id=name, service="iam") for name in names)
    path = tmp_path / "iam.parquet"
    Catalog("iam", operations).save(path)
    return path


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_sessions_truth_and_manifest_are_written(catalog: Path, tmp_path: Path) -> None:
    out = tmp_path / "made"
    shown = _run(
        *("--catalog", str(catalog), "--output", str(out), "--sessions", "40", "--seed", "3"),
        *("--days", "4", "--users", "5", "--noise", "0.2", "--drift-day", "2"),
    )
    sessions = load_sessions(out / "sessions.parquet")
    assert sessions["session_id"].nunique() == 40
    assert f"Wrote {len(sessions)} calls" in shown
    assert "session lengths, chi-square p-value" in shown
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["seed"] == 3
    assert manifest["settings"]["days"] == 4
    assert manifest["settings"]["users"]["users"] == 5
    assert manifest["settings"]["noise"]["error"] == pytest.approx(0.08)
    assert manifest["inputs"]["catalog"]["file"] == "iam.parquet"
    truth = json.loads((out / "truth.json").read_text())
    assert truth["drift_time"] == "2026-01-07T00:00:00+00:00"


def test_a_workflow_is_learned_and_prompts_are_used(catalog: Path, tmp_path: Path) -> None:
    lines = [
        {"session_id": f"s{n}", "user_id": "u", "calls": ["CreateUser", "DeleteUser"]}
        for n in range(50)
    ]
    seen = tmp_path / "seen.jsonl"
    seen.write_text("".join(json.dumps(line) + "\n" for line in lines))
    queries = tmp_path / "queries.jsonl"
    queries.write_text(
        json.dumps({"prompt": "welcome somebody", "relevant": ["CreateUser"]}) + "\n"
    )
    out = tmp_path / "made"
    _run(
        *("--catalog", str(catalog), "--output", str(out), "--sessions", "100"),
        *("--learn", str(seen), "--prompts", str(queries), "--format", "jsonl"),
    )
    sessions = load_sessions(out / "sessions.jsonl")
    assert sessions["operation_id"].isin(["CreateUser", "DeleteUser"]).mean() > 0.7
    created = sessions["operation_id"] == "CreateUser"
    assert sessions["prompt"][created].str.contains("somebody").mean() > 0.5
    assert set(json.loads((out / "manifest.json").read_text())["inputs"]) == {
        "catalog", "learn", "prompts",
    }  # fmt: skip


def test_numbers_out_of_range_are_refused(catalog: Path, tmp_path: Path) -> None:
    arguments = ["--catalog", str(catalog), "--output", str(tmp_path), "--noise", "2"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    with pytest.raises(ValueError, match="drift_day must be between 0 and days"):
        CliRunner().invoke(app, [*arguments[:4], "--drift-day", "99"], catch_exceptions=False)
