"""What all benchmarks share: options that they have alike, and JSON that is printed or kept."""

import argparse
import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import nextcall
from nextcall.runs.provenance import git_state, machine

_CAN_TELL: Final = hasattr(os, "sched_getaffinity")
_CORES: Final = len(os.sched_getaffinity(0)) if _CAN_TELL else os.cpu_count()
"""As many as the process was given; a benchmark may take fewer."""

_LIBRARIES: Final = (
    "nextcall", "numpy", "numba", "scipy", "pandas", "lightgbm", "onnxruntime", "tokenizers",
    "fastapi", "pydantic", "uvicorn", "uvloop", "httptools", "SQLAlchemy", "redis", "limits",
)  # fmt: skip


def parser_of(
    description: str | None, *, rounds: int | None = None, seed: int | None = None
) -> argparse.ArgumentParser:
    """Begin the options of a benchmark: its own first words, and ``--output``.

    ``--rounds`` and ``--seed`` are those of a benchmark that has a default for them.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, help="file for the JSON; else it is printed")
    if rounds is not None:
        said = f"how often each is measured; {rounds} unless told"
        parser.add_argument("--rounds", type=int, default=rounds, help=said)
    if seed is not None:
        said = f"of all that is drawn; {seed} unless told"
        parser.add_argument("--seed", type=int, default=seed, help=said)
    return parser


def give(result: Mapping[str, object], output: Path | None) -> None:
    """Print a result as JSON, or write it; with the run that it is of, and a list in one line.

    What ``samples`` holds of a result are the measurements behind the numbers of the same names:
    `nextcall bench compare` gives these an interval.
    """
    text = json.dumps({**result, "run": _run()}, indent=2)
    text = re.sub(r"\[\n([^][{}]*)\]", lambda found: f"[{' '.join(found[1].split())}]", text)
    if output is None:
        print(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")


def rounded(samples: object, digits: int = 3) -> object:
    """Cut measurements to some significant digits, however they are nested."""
    if isinstance(samples, Mapping):
        return {name: rounded(each, digits) for name, each in samples.items()}
    if isinstance(samples, list):
        return [rounded(each, digits) for each in samples]
    return float(f"{samples:.{digits}g}")


def _run() -> dict[str, object]:
    source = Path(nextcall.__file__).parent
    commit, changed = git_state(source, exclude=source / "none")
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "changed": changed,
        "machine": machine()[0],
        "cores": _CORES,
        "load_average": round(os.getloadavg()[0], 2),
        "versions": {name: found for name in _LIBRARIES if (found := _version(name))},
    }


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
