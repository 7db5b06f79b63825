"""What all benchmarks share: options that they have alike, and JSON that is printed or kept."""

import argparse
import json
from pathlib import Path


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


def give(result: object, output: Path | None) -> None:
    """Print a result as JSON, or write it."""
    text = json.dumps(result, indent=2)
    if output is None:
        print(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")
