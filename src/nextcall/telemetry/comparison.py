"""Two results of a benchmark, number by number: what became better, worse, or cannot be told."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

Better: TypeAlias = Literal["up", "down"]
Outcome: TypeAlias = Literal["better", "worse", "same", "untold"]
Numbers: TypeAlias = dict[str, NDArray[np.float64]]

LEAST_SAMPLES: Final = 5
"""Numbers of a list from which it has an interval; a shorter one has its median only."""

_RATES: Final = "rps qps ops throughput"
_AMOUNTS: Final = (
    "sec second seconds ms millisecond milliseconds us microsecond microseconds ns nanosecond "
    "nanoseconds minutes bytes kb mb gb kib mib gib"
)
_GOOD: Final = "hits recall precision ndcg mrr coverage accuracy auc f1"
_BAD: Final = "latency duration memory rss errors failures misses lost dollars cost"
_UNITS: Final[dict[str, Better]] = {
    **dict.fromkeys(_RATES.split(), "up"),
    **dict.fromkeys(_AMOUNTS.split(), "down"),
}
_SUBJECTS: Final[dict[str, Better]] = {
    **dict.fromkeys(_GOOD.split(), "up"),
    **dict.fromkeys(_BAD.split(), "down"),
}
_SAMPLES: Final = "samples."
_BATCH: Final = 1_000_000  # numbers that are drawn at once


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberChange:
    """One number of a benchmark, before and after; medians where it was measured often."""

    name: str
    """Its place in the file, such as ``microseconds.cold``."""
    before: float
    after: float
    better: Better | None
    """Which way is better; None where its name does not say."""
    ratio: float
    """`after` by `before`; ``nan`` where both are 0 or their signs differ."""
    ci_lower: float
    """Of the ratio; ``nan`` where there are too few samples, as `ci_upper`."""
    ci_upper: float
    outcome: Outcome
    """``same`` where the change is within the threshold or the interval holds 1; ``untold`` where
    there is no ratio, or no name that says which way is better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkComparison:
    """All numbers that both results have, and the names that one has."""

    threshold: float
    """Change of a ratio that counts, in the worse direction or the better."""
    changes: tuple[NumberChange, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]

    @property
    def regressions(self) -> tuple[NumberChange, ...]:
        """Those that became worse by more than the threshold."""
        return tuple(change for change in self.changes if change.outcome == "worse")


def read_result(path: Path) -> Numbers:
    """Read the numbers of a benchmark's JSON, however they are nested.

    A list of numbers is one number that was measured so often, and so is a list that the file's
    ``samples`` hold at the place of a number. True and false, texts and what is not finite are left
    out.

    Parameters
    ----------
    path : path
        File that a benchmark wrote.

    Raises
    ------
    ValueError
        Where it is no JSON, or has no number.
    OSError
        Where it cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} must be JSON, got {error}.") from error
    numbers = dict(_numbers(content, ""))
    for name in [name for name in numbers if name.startswith(_SAMPLES)]:
        numbers[name.removeprefix(_SAMPLES)] = numbers.pop(name)
    if not numbers:
        raise ValueError(f"{path} must have numbers, got none.")
    return numbers


def _numbers(content: object, name: str) -> Iterator[tuple[str, NDArray[np.float64]]]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _numbers(value, f"{name}.{key}" if name else str(key))
    elif isinstance(content, list) and content and all(map(_is_number, content)):
        finite = [float(each) for each in content if math.isfinite(each)]
        if finite:
            yield name, np.array(finite)
    elif isinstance(content, list):
        for place, value in enumerate(content):
            yield from _numbers(value, f"{name}[{place}]")
    elif _is_number(content) and math.isfinite(content):
        yield name, np.array([float(content)])


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def better_way(name: str) -> Better | None:
    """Say which way a number is better, by its unit, else by what it counts; None where unknown.

    A ratio of two ways to do something says nothing by itself.

    Examples
    --------
    >>> better_way("microseconds.cold"), better_way("rps.cold"), better_way("errors.predict")
    ('down', 'up', 'down')
    >>> better_way("rows_per_second"), better_way("ratios.memory / redis"), better_way("rounds")
    ('up', None, None)
    """
    words = re.findall(r"[a-z0-9]+", name.lower())
    if {"ratio", "ratios"} & set(words):
        return None
    for known in (_UNITS, _SUBJECTS):
        for place, word in reversed(list(enumerate(words))):
            if (way := known.get(word)) is None:
                continue
            before = words[place - 1] if place else ""
            if (place > 1 and before == "per") or (before, word) == ("a", "second"):
                return _SUBJECTS.get(words[place - 2], "up")  # so many in a second
            return way
    return None


def compare_results(
    before: Numbers,
    after: Numbers,
    *,
    rng: np.random.Generator,
    threshold: float = 0.1,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> BenchmarkComparison:
    """Compare what two runs of a benchmark measured.

    The interval of a ratio of medians is the percentile bootstrap: both lists are drawn again, each
    by itself.

    Parameters
    ----------
    before, after : mapping of str to array
        What `read_result` gives.
    rng : numpy.random.Generator
        Draws.
    threshold : float
        Change that counts: 0.1 is a tenth more or, as a ratio, a tenth less; above 0.
    confidence : float
        Of the intervals; between 0 and 1.
    resamples : int
        How often is drawn.

    Raises
    ------
    ValueError
        Where both have no name in common, or an option breaks its rule.

    Examples
    --------
    >>> slow, slower = {"ms": np.array([10.0])}, {"ms": np.array([12.0])}
    >>> compared = compare_results(slow, slower, rng=np.random.default_rng(0))
    >>> [(change.name, change.ratio, change.outcome) for change in compared.regressions]
    [('ms', 1.2, 'worse')]
    """
    if not 0 < threshold < math.inf:
        raise ValueError(f"threshold must be above 0, got {threshold}.")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}.")
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, got {resamples}.")
    common = [name for name in before if name in after]
    if not common:
        raise ValueError("the results must have a number of the same name, got none.")
    changes = []
    for name in common:
        first, second = before[name], after[name]
        lower, upper = _interval(first, second, rng, confidence, resamples)
        changes.append(_change(name, first, second, (lower, upper), threshold))
    return BenchmarkComparison(
        threshold=threshold,
        changes=tuple(changes),
        only_before=tuple(name for name in before if name not in after),
        only_after=tuple(name for name in after if name not in before),
    )


def _change(
    name: str,
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    interval: tuple[float, float],
    threshold: float,
) -> NumberChange:
    before, after = float(np.median(first)), float(np.median(second))
    better, ratio = better_way(name), _ratio(before, after)
    lower, upper = interval
    outcome: Outcome = "same"
    if better is None or math.isnan(ratio):
        outcome = "same" if before == after else "untold"
    elif lower <= 1 <= upper:
        pass
    elif ratio > 1 + threshold:
        outcome = "worse" if better == "down" else "better"
    elif ratio * (1 + threshold) < 1:
        outcome = "worse" if better == "up" else "better"
    return NumberChange(
        name=name,
        before=before,
        after=after,
        better=better,
        ratio=ratio,
        ci_lower=lower,
        ci_upper=upper,
        outcome=outcome,
    )


def _ratio(before: float, after: float) -> float:
    if before == 0:
        return math.inf if after > 0 else math.nan
    ratio = after / before
    return ratio if ratio >= 0 and before > 0 else math.nan


def _interval(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    rng: np.random.Generator,
    confidence: float,
    resamples: int,
) -> tuple[float, float]:
    if min(len(first), len(second)) < LEAST_SAMPLES:
        return math.nan, math.nan
    befores, afters = (_medians(each, rng, resamples) for each in (first, second))
    if befores.min() <= 0:
        return math.nan, math.nan
    tail = (1 - confidence) / 2
    lower, upper = np.quantile(afters / befores, [tail, 1 - tail])
    return float(lower), float(upper)


def _medians(
    samples: NDArray[np.float64], rng: np.random.Generator, resamples: int
) -> NDArray[np.float64]:
    """Draw again and again, and give the median of each."""
    rows = max(1, _BATCH // len(samples))
    batches = [
        np.median(rng.choice(samples, (min(rows, resamples - begin), len(samples))), axis=1)
        for begin in range(0, resamples, rows)
    ]
    return np.concatenate(batches)
