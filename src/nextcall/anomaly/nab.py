"""The scoring of the Numenta Anomaly Benchmark: early hits in windows against false alarms.

The first rows of a file are not scored. The first alarm inside a window earns more the earlier it
comes, a window without one costs, and an alarm outside costs by its distance past the window before
it. One threshold holds for all files, by default the best for each profile. 0 is a detector that
never speaks, 100 one that hits every window on its first row.

References
----------
Lavin & Ahmad (2015), ICMLA: the benchmark. Its code, NAB 1.1, settles the details.
"""

import csv
import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

_PROBATION: Final = 0.15  # share of a file that is not scored ...
_LONGEST: Final = 5000  # ... of at most so many rows
_STEEP: Final = 5.0  # of the sigmoid
_FAR: Final = 3.0  # window widths past a window after which an alarm costs in full
_SECONDS: Final = 19  # characters of a time down to its seconds

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What hits and mistakes are worth, in points."""

    hit: float
    false_alarm: float
    miss: float


PROFILES: Final[Mapping[str, Profile]] = {
    "standard": Profile(hit=1.0, false_alarm=0.11, miss=1.0),
    "reward_low_FP_rate": Profile(hit=1.0, false_alarm=0.22, miss=1.0),
    "reward_low_FN_rate": Profile(hit=1.0, false_alarm=0.11, miss=2.0),
}
"""The three of the benchmark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NabScore:
    """A detector under one profile."""

    score: float
    """At most 100; 0 is a detector that never speaks."""
    threshold: float
    """Scores from here on are alarms; infinite where silence is best."""
    windows_hit: int
    windows: int
    false_alarms: int
    """Rows outside every window that are alarms."""
    rows: int
    """Rows that were scored."""


@dataclass(frozen=True, slots=True)
class LabelledSeries:
    """A file of the benchmark, and what an alarm on each row is worth."""

    values: Floats
    credit: Floats
    """In [-1, 1) before weights: positive inside a window, negative outside."""
    window: NDArray[np.int64]
    """Number of the row's window in the file, -1 outside."""
    scored: NDArray[np.bool_]
    """False for the first rows."""
    times: NDArray[np.datetime64]
    """To the second."""


def label_series(
    times: Sequence[str], values: ArrayLike, windows: Sequence[Sequence[str]]
) -> LabelledSeries:
    """Lay windows over a series.

    Parameters
    ----------
    times : sequence of str
        Time of each row, as ``2014-04-10 07:15:00``.
    values : array-like of shape (n_rows,)
        The series.
    windows : sequence of pairs of str
        Times of the first and last row of each window, in order; fractions of a second are cut.

    Raises
    ------
    ValueError
        Where a time is none, or a window is no pair of times of the series, in order and apart
        from the one before.
    """
    rows = len(times)
    first: dict[str, int] = {}
    for place, time in enumerate(times):
        first.setdefault(time[:_SECONDS], place)
    spans: list[tuple[int, int]] = []
    for edges in windows:
        places = [first.get(edge[:_SECONDS], -1) for edge in edges]
        after = spans[-1][1] if spans else -1
        if len(places) != 2 or not after < places[0] < places[1]:
            raise ValueError(f"a window must be two times of the series in order, got {edges!r}.")
        spans.append((places[0], places[1]))
    credit = np.full(rows, -1.0)
    window = np.full(rows, -1)
    for number, (begin, end) in enumerate(spans):
        width = end - begin + 1
        inside = np.arange(begin, end + 1)
        credit[inside] = _sigmoid((inside - end - 1) / width)
        window[inside] = number
        stop = spans[number + 1][0] if number + 1 < len(spans) else rows
        behind = np.arange(end + 1, stop)
        credit[behind] = _sigmoid((behind - end) / (width - 1.0))
    scored = np.arange(rows) >= min(math.floor(_PROBATION * rows), _PROBATION * _LONGEST)
    stamps = np.array([time[:_SECONDS] for time in times], dtype="datetime64[s]")
    return LabelledSeries(np.asarray(values, dtype=np.float64), credit, window, scored, stamps)


def read_corpus(
    folder: Path, *, categories: Collection[str] | None = None
) -> dict[str, LabelledSeries]:
    """Read a folder of the benchmark: ``windows.json``, and files ``category/name.csv`` beside it.

    Parameters
    ----------
    folder : Path
        Each file has the columns ``timestamp`` and ``value``.
    categories : collection of str, optional
        Read these only.

    Returns
    -------
    dict
        Series by file, in order of the names.

    Raises
    ------
    ValueError
        Where a file breaks a rule; the message names it.
    OSError
        Where one cannot be read.
    """
    labels = json.loads((folder / "windows.json").read_text(encoding="utf-8"))
    corpus = {}
    for name in sorted(labels):
        if categories is not None and name.split("/")[0] not in categories:
            continue
        try:
            with (folder / name).open(newline="", encoding="utf-8") as file:
                rows = [(row["timestamp"], float(row["value"])) for row in csv.DictReader(file)]
            times = [time for time, _ in rows]
            corpus[name] = label_series(times, [value for _, value in rows], labels[name])
        except KeyError as error:
            raise ValueError(f"{folder / name}: must have the column {error}.") from error
        except (ValueError, TypeError) as error:
            raise ValueError(f"{folder / name}: {error}") from error
    return corpus


def score_corpus(
    corpus: Mapping[str, LabelledSeries],
    scores: Mapping[str, ArrayLike],
    *,
    thresholds: Mapping[str, float] | None = None,
) -> dict[str, NabScore]:
    """Score a detector on every series at once; higher is better.

    Parameters
    ----------
    corpus : mapping of str to LabelledSeries
        As `read_corpus` gives it.
    scores : mapping of str to array-like of shape (n_rows,)
        The detector's, higher for stranger; only their order matters.
    thresholds : mapping of str to float, optional
        Fixed threshold of each profile; without it the best one.

    Returns
    -------
    dict
        One result a profile.

    Raises
    ------
    ValueError
        Where a series has no scores, too few or too many, or one that is not finite.
    """
    score, credit, window, windows = _pooled(corpus, scores)
    order = np.argsort(-score, kind="stable")
    score, credit, window = score[order], credit[order], window[order]
    # a threshold cannot part rows of equal score
    ends = np.flatnonzero(np.append(score[1:] != score[:-1], True)) if len(score) else order
    results = {}
    for name, profile in PROFILES.items():
        points, silent = _points(credit, window, profile)
        worth = points[ends] if len(ends) else np.array([silent])
        if thresholds is not None:
            threshold = float(thresholds[name])
        elif worth.max() > silent:
            threshold = float(score[ends[np.argmax(worth)]])
        else:
            threshold = math.inf
        alarms = int(np.count_nonzero(score >= threshold))
        reached = float(points[alarms - 1]) if alarms else silent
        nothing = -profile.miss * windows
        results[name] = NabScore(
            score=100.0 * (reached - nothing) / (windows * profile.hit - nothing),
            threshold=threshold,
            windows_hit=len(np.unique(window[:alarms][window[:alarms] >= 0])),
            windows=windows,
            false_alarms=int(np.count_nonzero(window[:alarms] < 0)),
            rows=len(score),
        )
    return results


def _sigmoid(place: Floats) -> Floats:
    """Fall from almost 1 at -1 (a window's first row) over 0 to -1, flat from `_FAR` on."""
    falling = 2.0 / (1.0 + np.exp(_STEEP * np.minimum(place, _FAR))) - 1.0
    return np.where(place > _FAR, -1.0, falling)


def _pooled(
    corpus: Mapping[str, LabelledSeries], scores: Mapping[str, ArrayLike]
) -> tuple[Floats, Floats, NDArray[np.int64], int]:
    """Join the scored rows: score, credit and window, and count the windows."""
    if not any((series.window >= 0).any() for series in corpus.values()):
        raise ValueError("corpus must have a window.")
    parts = []
    windows = 0
    for name, series in corpus.items():
        if name not in scores:
            raise ValueError(f"scores must have every series, {name} is missing.")
        own = np.asarray(scores[name], dtype=np.float64)
        if own.shape != series.credit.shape:
            raise ValueError(
                f"{name}: scores must be one a row, {len(series.credit)}, got shape {own.shape}."
            )
        if not np.isfinite(own).all():
            raise ValueError(f"{name}: scores must be finite.")
        numbered = np.where(series.window < 0, -1, series.window + windows)
        parts.append((own[series.scored], series.credit[series.scored], numbered[series.scored]))
        windows += int(series.window.max(initial=-1)) + 1
    pooled, credit, window = (np.concatenate(column) for column in zip(*parts, strict=True))
    return pooled, credit, window, windows


def _points(credit: Floats, window: NDArray[np.int64], profile: Profile) -> tuple[Floats, float]:
    """Points after each row, in falling order of score, and before the first."""
    gain = np.where(window < 0, credit * profile.false_alarm, 0.0)
    live = np.unique(window[window >= 0])
    best_credit = float(_sigmoid(np.array(-1.0)))
    for number in live:  # a window is worth its best row so far
        rows = np.flatnonzero(window == number)
        worth = np.append(-profile.miss, credit[rows] * profile.hit / best_credit)
        gain[rows] = np.diff(np.maximum.accumulate(worth))
    silent = -profile.miss * len(live)
    return silent + np.cumsum(gain), silent
