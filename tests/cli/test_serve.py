"""What the verb `serve` refuses before it loads anything; that it serves is shown in its room."""

import os
import socket
import sys
from pathlib import Path

import pytest
import typer

from nextcall.cli import main as entry
from nextcall.cli.serve import serve


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Run in an empty folder, with no variable of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("NEXTCALL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    application = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
    application.command()(serve)
    monkeypatch.setattr(entry, "app", application)
    return monkeypatch


def _complaint(
    bare: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> str:
    """Serve, which ends with exit code 2 and one line."""
    bare.setattr(sys, "argv", ["nextcall", *arguments])
    with pytest.raises(SystemExit) as ended:
        entry.main()
    shown = capsys.readouterr()
    assert (ended.value.code, shown.out) == (2, "")
    (line,) = shown.err.splitlines()
    return line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--host", "0.0.0.0"), "host must be a loopback address"),  # noqa: S104  # refused
        (("--port", "70000"), "NEXTCALL_PORT: Input should be less than or equal to 65535"),
        (("--port", "0"), "data/catalogs/aws.parquet: No such file or directory."),
        (("--port", "0", "--catalog", "a.csv"), "a.csv: a catalogue must be a .parquet file"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    bare: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    assert f"error: {message}" in _complaint(bare, capsys, *arguments)


def test_production_is_refused_without_a_secret(
    bare: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bare.setenv("NEXTCALL_ENVIRONMENT", "production")
    assert "NEXTCALL_SECRET must be set in production, got none" in _complaint(bare, capsys)


def test_two_ways_to_compare_rankers_at_once_are_refused(
    bare: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bare.setenv("NEXTCALL_INTERLEAVED", "true")
    assert "challenger_model must be set where interleaved is true" in _complaint(bare, capsys)
    bare.setenv("NEXTCALL_CHALLENGER_MODEL", "second")
    bare.setenv("NEXTCALL_PREDICT_TRIAL", "t1")
    said = "predict_trial must not be set where interleaved is true, for everybody is answered by"
    assert said in _complaint(bare, capsys)


def test_a_taken_port_is_told_before_anything_is_loaded(
    bare: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        complaint = _complaint(bare, capsys, "--port", port, "--catalog", "none.parquet")
    assert f"host and port must be free to listen on, got 127.0.0.1 and {port}" in complaint
