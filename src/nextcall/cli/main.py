"""The entry of the command `nextcall`: its verbs, and what becomes of an error."""

import os
import sys
import traceback
from typing import Annotated

import typer

from nextcall import __version__
from nextcall.cli import (
    abstain,
    abtest,
    adapt,
    audit,
    bench,
    catalog,
    crossval,
    demo,
    detect,
    embed,
    experiments,
    explain,
    feedback,
    guard,
    jobs,
    keys,
    llm,
    model,
    serve,
    synth,
    token,
    users,
    versions,
)
from nextcall.cli.console import fail

app = typer.Typer(
    name="nextcall",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"max_content_width": 100},  # room for a summary on one line
    rich_markup_mode=None,  # rich costs a tenth of a second, which plain help does not need
)
# Each verb loads what it needs when it runs.
app.add_typer(catalog.app, name="catalog")
app.add_typer(embed.app, name="embed")
app.add_typer(abstain.app, name="abstain")
app.add_typer(abtest.app, name="abtest")
app.add_typer(keys.app, name="keys")
app.add_typer(users.app, name="users")
app.add_typer(audit.app, name="audit")
app.add_typer(guard.app, name="guard")
app.add_typer(bench.app, name="bench")
app.add_typer(feedback.app, name="feedback")
app.add_typer(jobs.app, name="jobs")
app.add_typer(llm.app, name="llm")
app.add_typer(versions.app, name="model")
app.command()(demo.demo)
app.command()(model.train)
app.command()(model.evaluate)
app.command()(model.predict)
app.command()(explain.explain)
app.command()(model.rank)
app.command()(crossval.crossval)
app.command()(adapt.adapt)
app.command()(synth.synth)
app.command()(detect.detect)
app.command()(experiments.run)
app.command()(experiments.report)
app.command()(serve.serve)
app.command()(token.token)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nextcall {__version__}")
        raise typer.Exit


@app.callback()
def _nextcall(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Tell which API call comes next, given a prompt and the calls so far."""


def main() -> None:
    """Run a command; input that breaks a rule ends with one line and exit code 2.

    `ValueError`, `OSError`, a `KeyError` whose message is a sentence and an `ImportError` that
    names the extra to install are for the user; anything else is a fault of the program and shows
    its traceback (exit code 1), as every error does where ``NEXTCALL_DEBUG`` is 1.
    """
    # Read when the libraries load: waiting OpenMP threads do not spin, no model hub is asked.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if "NEXTCALL_JOB_FOLDER" in os.environ:  # the process of a job of the service
        from nextcall.jobs.child import attach

        attach()
    try:
        app(prog_name="nextcall")
    except KeyboardInterrupt:
        sys.exit(130)
    except (ValueError, OSError, KeyError, ImportError) as error:
        message = _message(error)
        if message is None:
            raise
        if os.environ.get("NEXTCALL_DEBUG") == "1":
            traceback.print_exc()
        fail(message)


def _message(error: ValueError | OSError | KeyError | ImportError) -> str | None:
    """Say what is wrong with the input; None where the error is no message for a user."""
    if isinstance(error, KeyError):
        text = error.args[0] if error.args else None
        is_sentence = isinstance(text, str) and " " in text and text.endswith(".")
        return text if is_sentence else None  # else a key that some dict lacks
    if isinstance(error, ImportError) and error.name is not None:
        return None  # raised by an import statement, not by a room that knows the remedy
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}."
    return str(error) or type(error).__name__


if __name__ == "__main__":
    main()
