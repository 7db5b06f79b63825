"""What each file adds to a score of the benchmark, and how sure the sum is.

At a fixed threshold the points of a corpus are the sum of its files', which is what makes it
possible to say where they are lost and to draw whole files again.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from nextcall.anomaly.nab import PROFILES, LabelledSeries

_BLOCK: Final = 1000  # draws that are held at once

Floats = NDArray[np.float64]


def category(name: str) -> str:
    """Give the folder of a file, which is its category.

    Examples
    --------
    >>> category("realTraffic/speed_6005.csv")
    'realTraffic'
    """
    return name.split("/", maxsplit=1)[0]


def file_points(
    corpus: Mapping[str, LabelledSeries],
    scores: Mapping[str, ArrayLike],
    *,
    threshold: float,
    profile: str = "standard",
) -> pd.DataFrame:
    """Tell the points of every file at one threshold.

    Parameters
    ----------
    corpus, scores : mapping
        As `score_corpus` takes them.
    threshold : float
        Scores from here on are alarms.
    profile : str
        Of `PROFILES`.

    Returns
    -------
    DataFrame
        One row a file: ``file``, ``category``, ``windows``, ``hit`` (windows), ``false_alarms``
        (rows outside every window that are alarms), ``points``, ``most`` (every window hit on its
        first row, nothing else), ``least`` (silence), and where points were lost: ``missed``,
        ``late`` (windows hit after their first row) and ``false``, which add up to ``most`` less
        ``points``.
    """
    worth = PROFILES[profile]
    rows = []
    for name, series in corpus.items():
        alarm = (np.asarray(scores[name], dtype=np.float64) >= threshold) & series.scored
        outside = alarm & (series.window < 0)
        windows = np.unique(series.window[series.window >= 0])
        scored = np.unique(series.window[series.scored & (series.window >= 0)])
        hit, late = 0, 0.0
        for number in scored:
            inside = series.window == number
            if (alarm & inside).any():
                credit = series.credit[inside]
                hit += 1  # the first row of a window has its largest credit
                late += worth.hit * (1.0 - series.credit[alarm & inside].max() / credit[0])
        most = worth.hit * len(windows)
        missed = (worth.hit + worth.miss) * (len(scored) - hit)
        missed += worth.hit * (len(windows) - len(scored))  # a window in the first rows costs none
        false = -worth.false_alarm * float(series.credit[outside].sum())
        points = most - missed - late - false
        rows.append(
            {
                "file": name,
                "category": category(name),
                "windows": len(windows),
                "hit": hit,
                "false_alarms": int(outside.sum()),
                "points": points,
                "most": most,
                "least": -worth.miss * len(windows),
                "missed": missed,
                "late": late,
                "false": false,
            }
        )
    return pd.DataFrame(rows)


def score_of(files: pd.DataFrame) -> float:
    """Give the score of what `file_points` tells: 0 is silence, 100 every window at once.

    Raises
    ------
    ValueError
        Where the files have no window.
    """
    points, most, least = (float(files[name].sum()) for name in ("points", "most", "least"))
    if most <= least:
        raise ValueError("files must have a window.")
    return 100.0 * (points - least) / (most - least)


def by_category(files: pd.DataFrame) -> "pd.Series[float]":
    """Score each category of what `file_points` tells; those without a window are left out."""
    return pd.Series(
        {
            str(name): score_of(part)
            for name, part in files.groupby("category", sort=False)
            if part["windows"].sum() > 0
        }
    )


def score_interval(
    files: pd.DataFrame, *, rng: np.random.Generator, resamples: int = 4000, level: float = 0.95
) -> tuple[float, float]:
    """Compute the interval of a score over files, by bootstrap: percentiles over drawn files.

    The threshold stays as it is, so that the interval says nothing of how it was chosen.

    Parameters
    ----------
    files : DataFrame
        Of `file_points`.
    rng : numpy.random.Generator
        Draws whole files, with replacement.
    resamples : int
        Draws.
    level : float
        Share of the draws that lies inside, in (0, 1).

    Returns
    -------
    tuple of float
        Lower and upper end; draws without a window do not count.
    """
    points, most, least = (files[name].to_numpy(np.float64) for name in ("points", "most", "least"))
    found = []
    for begin in range(0, resamples, _BLOCK):
        drawn = rng.integers(0, len(files), size=(min(_BLOCK, resamples - begin), len(files)))
        lowest = least[drawn].sum(axis=1)
        width = most[drawn].sum(axis=1) - lowest
        reached = points[drawn].sum(axis=1) - lowest
        found.append(100.0 * reached[width > 0] / width[width > 0])
    low, high = np.quantile(np.concatenate(found), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
