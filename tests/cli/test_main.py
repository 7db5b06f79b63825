"""The command line from outside: its help, its errors and its exit codes."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.main import get_group

from nextcall import __version__
from nextcall.cli import main as entry
from nextcall.cli.main import app, main


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let a test put its own application behind `main`, with an argument list of its own."""
    monkeypatch.setattr(sys, "argv", ["nextcall"])
    monkeypatch.delenv("NEXTCALL_DEBUG", raising=False)
    return monkeypatch


def _raises(error: BaseException) -> typer.Typer:
    application = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)

    @application.command()
    def _verb() -> None:
        sys.stderr.write("half a result\n")
        raise error

    return application


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from nextcall.cli.main import main; main()", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_help_names_every_verb_with_a_summary() -> None:
    shown = _run("--help")
    assert shown.returncode == 0
    assert shown.stderr == ""
    verbs = set(get_group(app).commands)
    listed = shown.stdout.partition("Commands:")[2].splitlines()
    described = {line.split()[0] for line in listed if len(line.split()) > 2}
    assert described == verbs
    assert verbs


def test_help_loads_no_heavy_library() -> None:
    script = (
        "import sys; sys.argv = ['nextcall', '--help']\n"
        "from nextcall.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(shown.stderr.replace("'", "").strip("[]\n").split(", "))
    heavy = {"rich", "numpy", "pandas", "pyarrow", "lightgbm", "fastapi", "pydantic", "torch"}
    assert not loaded & heavy
    assert "typer" in loaded


def test_version_is_the_packages() -> None:
    shown = _run("--version")
    assert (shown.stdout, shown.stderr, shown.returncode) == (f"nextcall {__version__}\n", "", 0)


def test_an_unknown_verb_is_named_on_standard_error() -> None:
    shown = _run("foretell")
    assert shown.returncode == 2
    assert shown.stdout == ""
    assert "foretell" in shown.stderr


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("k must be at least 1, got 0."), "k must be at least 1, got 0."),
        (ValueError(), "ValueError"),
        (
            KeyError("catalogue 'aws' has no operation 'x:y'."),
            "catalogue 'aws' has no operation 'x:y'.",
        ),
        (OSError("disk is full"), "disk is full"),
        (ImportError("the torch encoder needs an extra."), "the torch encoder needs an extra."),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "a.yaml"),
            "a.yaml: No such file or directory.",
        ),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    failing: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    line: str,
) -> None:
    failing.setattr(entry, "app", _raises(error))
    with pytest.raises(SystemExit) as ended:
        main()
    shown = capsys.readouterr()
    assert ended.value.code == 2
    assert shown.out == ""
    assert shown.err == f"half a result\nerror: {line}\n"


@pytest.mark.parametrize(
    "error",
    [
        KeyError("operation_id"),
        KeyError(),
        KeyError(3),
        TypeError("x"),
        ModuleNotFoundError("x", name="x"),
    ],
)
def test_a_fault_of_the_program_keeps_its_traceback(
    failing: pytest.MonkeyPatch, error: Exception
) -> None:
    failing.setattr(entry, "app", _raises(error))
    with pytest.raises(type(error)) as raised:
        main()
    assert raised.value is error


def test_debug_shows_the_traceback_of_bad_input_too(
    failing: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing.setattr(entry, "app", _raises(ValueError("seed must be positive, got -1.")))
    failing.setenv("NEXTCALL_DEBUG", "1")
    with pytest.raises(SystemExit) as ended:
        main()
    shown = capsys.readouterr()
    assert ended.value.code == 2
    assert "Traceback (most recent call last)" in shown.err
    assert shown.err.endswith("error: seed must be positive, got -1.\n")


def test_a_missing_file_is_one_line_from_outside_too(tmp_path: Path) -> None:
    absent = tmp_path / "absent.parquet"
    shown = _run("catalog", "show", str(absent), NEXTCALL_DEBUG="")
    assert (shown.returncode, shown.stdout) == (2, "")
    assert shown.stderr.startswith("error: ")
    assert str(absent) in shown.stderr
    assert shown.stderr.count("\n") == 1


def test_an_interrupt_ends_with_130(failing: pytest.MonkeyPatch) -> None:
    failing.setattr(entry, "app", _raises(KeyboardInterrupt()))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 128 + signal.SIGINT


def test_an_interrupt_while_a_verb_loads_ends_with_130(failing: pytest.MonkeyPatch) -> None:
    def interrupted(*, prog_name: str) -> None:
        raise KeyboardInterrupt(prog_name)

    failing.setattr(entry, "app", interrupted)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 128 + signal.SIGINT


@given(st.text())
def test_a_key_error_is_for_the_user_only_as_a_sentence(text: str) -> None:
    shown = entry._message(KeyError(text))
    assert shown in {None, text}
    assert entry._message(KeyError(f"no operation {text}.")) == f"no operation {text}."


def test_threads_wait_without_spinning_unless_told_otherwise(failing: pytest.MonkeyPatch) -> None:
    failing.setenv("OMP_WAIT_POLICY", "ACTIVE")
    failing.setenv("HF_HUB_OFFLINE", "")
    failing.delenv("HF_HUB_OFFLINE")
    failing.setattr(entry, "app", _raises(ValueError("no.")))
    with pytest.raises(SystemExit):
        main()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
    assert os.environ["HF_HUB_OFFLINE"] == "1"


def test_the_installed_command_is_this_entry() -> None:
    command = Path(sys.executable).with_name("nextcall")
    if not command.exists():
        pytest.skip(f"{command.name} is not installed beside this interpreter")
    shown = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["nextcall", __version__]
