"""What a notebook found: ``result.json``, a flat map of name to number."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

RESULT = "result.json"


def read_result(path: Path) -> dict[str, float]:
    """Read and check a ``result.json``.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        Where it is no flat map of name to finite number: names the file, the name and the rule.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "result.json")
    ...     _ = file.write_text('{"ndcg@10": 0.8}')
    ...     read_result(file)
    {'ndcg@10': 0.8}
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: must be JSON: {error}.") from error
    if not isinstance(raw, dict) or not raw:
        raise ValueError(f"{path}: must be a map of name to number that is not empty.")
    for name, value in raw.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(  # noqa: TRY004  # bad data, not a bad argument
                f"{path}: {name} must be a number, got {value!r}."
            )
        if not math.isfinite(value):
            raise ValueError(f"{path}: {name} must be finite, got {value}.")
    return raw


def format_number(value: float) -> str:
    """Write a number for a reader: three decimals for shares, separators for counts.

    Examples
    --------
    >>> [format_number(value) for value in (18378, 0.79049, 12345.6, 42.519, 0.00002)]
    ['18,378', '0.790', '12,346', '42.5', '2e-05']
    """
    if float(value).is_integer() and (isinstance(value, int) or abs(value) >= 10):
        return f"{int(value):,}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    if 0 < abs(value) < 0.0005:
        return f"{value:.1g}"
    return f"{value:.3f}"


def format_result(result: Mapping[str, float], name: str) -> str:
    """Write a result with its interval, where ``NAME.low`` and ``NAME.high`` are there too.

    Examples
    --------
    >>> format_result({"ndcg": 0.8, "ndcg.low": 0.79, "ndcg.high": 0.81}, "ndcg")
    '0.800 [0.790, 0.810]'
    """
    low, high = result.get(f"{name}.low"), result.get(f"{name}.high")
    text = format_number(result[name])
    if low is None or high is None:
        return text
    return f"{text} [{format_number(low)}, {format_number(high)}]"
