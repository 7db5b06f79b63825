"""Many texts, one a line: what the guard thinks of each, in the same order."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO

from nextcall.guard.guard import Guard, Verdict


def scan_lines(
    lines: Iterable[str], guard: Guard, *, name: str = "standard input"
) -> Iterator[dict[str, Any]]:
    """Judge the text of each line ``{"text": ...}``.

    Parameters
    ----------
    lines : iterable of str
        JSON objects; an empty line is an error, for each line in has one line out.
    guard : Guard
        Judges them.
    name : str
        Of what is read, for errors.

    Yields
    ------
    dict
        What `verdict_record` gives.

    Raises
    ------
    ValueError
        Where a line is no object with a text; names the line, never what it holds.

    Examples
    --------
    >>> [one["action"] for one in scan_lines(['{"text": "list all buckets"}'], Guard())]
    ['pass']
    """
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except ValueError:
            raise ValueError(f"{name}:{number}: must be a JSON object.") from None
        text = row.get("text") if isinstance(row, dict) else None
        if not isinstance(text, str):
            rule = 'must be an object with a string "text"'
            raise ValueError(f"{name}:{number}: {rule}.")  # noqa: TRY004  # the data is bad
        yield verdict_record(guard.detect(text))


def write_verdicts(records: Iterable[Mapping[str, Any]], out: TextIO) -> dict[str, int]:
    """Write records as lines of JSON; gives how many texts met each action, sorted by it."""
    counts = Counter[str]()
    for record in records:
        counts[record["action"]] += 1
        out.write(json.dumps(record) + "\n")
    return dict(sorted(counts.items()))


def verdict_record(verdict: Verdict) -> dict[str, Any]:
    """Write a verdict as JSON takes it; risks with six decimals.

    Examples
    --------
    >>> record = verdict_record(Guard().detect("; rm -rf /"))
    >>> list(record), record["action"]
    (['risk_score', 'labels', 'action', 'reasons'], 'block')
    """
    return {
        "risk_score": round(verdict.risk_score, 6),
        "labels": {family: round(risk, 6) for family, risk in verdict.labels.items()},
        "action": verdict.action,
        "reasons": [
            {"family": one.family, "name": one.name, "start": one.start, "end": one.end}
            for one in verdict.reasons
        ],
    }
