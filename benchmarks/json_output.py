"""What benchmarks share that end in one piece of JSON: where it goes, and how it gets there."""

import argparse
import json
from pathlib import Path


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """Begin the options of a benchmark: ``--output``, and what its own first words say."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--output", type=Path, help="file for the JSON; else it is printed")
    return parser


def give(result: object, output: Path | None) -> None:
    """Print a result as JSON, or write it."""
    text = json.dumps(result, indent=2)
    if output is None:
        print(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")
