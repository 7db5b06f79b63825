"""Detectors side by side on the benchmark: overall, by category, and on categories unseen."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from nextcall.anomaly.detector import ALARM, StreamDetector
from nextcall.anomaly.nab import PROFILES, LabelledSeries, score_corpus
from nextcall.anomaly.nab_files import (
    Floats,
    by_category,
    category,
    file_points,
    score_interval,
    score_of,
)
from nextcall.anomaly.scorers import Scorer
from nextcall.progress import Progress, silent

PUBLISHED: Final[Mapping[str, float]] = {
    "CAD OSE": 76.1,
    "Numenta HTM": 75.9,
    "ARTime": 74.7,
    "htmjava": 70.5,
    "random cut forest": 59.4,
    "KNN-CAD": 59.1,
    "relative entropy": 54.0,
    "Twitter ADVec": 48.7,
    "windowed Gaussian": 41.4,
}
"""Standard score of the results that others published, on the 36 files of the development half,
each at its own best threshold. CAD OSE looks ahead at the minimum and maximum of a file."""

ALL: Final = "all"
"""Stands for every category together."""

RATES: Final = (1 / 200, 1 / 400, 1 / 600, 1 / 1000, 1 / 2000)
"""Of which a rate of alarms is chosen."""

_REST: Final = 0.05  # share of the rows so far that the stream detector rests after an alarm ...
_LONGEST_REST: Final = 200  # ... and the most of them

Corpus = Mapping[str, LabelledSeries]
Scores = Mapping[str, Floats]
"""Scores of one detector, by file."""


def score_series(
    corpus: Corpus, scorers: Sequence[Scorer], *, progress: Progress = silent
) -> dict[str, dict[str, Floats]]:
    """Ask every detector for the scores of every file.

    Returns
    -------
    dict
        By detector, then by file.

    Raises
    ------
    ValueError
        Where a detector gives a score that is not finite, or not one a row.
    """
    found: dict[str, dict[str, Floats]] = {}
    for scorer in progress(scorers, description="Asking detectors", total=len(scorers)):
        found[scorer.name] = {
            name: scorer.score(series.values, series.times) for name, series in corpus.items()
        }
        for name, scores in found[scorer.name].items():
            if len(scores) != len(corpus[name].values) or not np.isfinite(scores).all():
                raise ValueError(f"{scorer.name} must give a finite score for each row of {name}.")
    return found


def overall_table(
    corpus: Corpus,
    scores: Mapping[str, Scores],
    scorers: Sequence[Scorer],
    *,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Score every detector under every profile, at its best threshold and at 0.5.

    Parameters
    ----------
    corpus : mapping of str to LabelledSeries
        As `read_corpus` gives it.
    scores : mapping
        As `score_series` gives it.
    scorers : sequence of Scorer
        The detectors.
    rng : numpy.random.Generator
        Draws files for the intervals, the same for all of them.

    Returns
    -------
    DataFrame
        One row a detector, profile and ``threshold`` (``best`` for the profile, or ``own``, 0.5,
        where the detector means something by it): ``detector``, ``origin``, ``profile``,
        ``threshold``, ``at``, ``score``, the ends ``low`` and ``high`` of its 95 % interval over
        files, ``windows``, ``hit``, ``false_alarms``, and the ``weakest`` category with its score
        ``weakest_score``.
    """
    rows = []
    drawn = int(rng.integers(2**62))  # all intervals are over the same draws
    for scorer in scorers:
        own = scores[scorer.name]
        best = score_corpus(corpus, own)
        for profile in PROFILES:
            places = {"best": best[profile].threshold}
            if scorer.decides:
                places["own"] = ALARM
            for kind, threshold in places.items():
                files = file_points(corpus, own, threshold=threshold, profile=profile)
                low, high = score_interval(files, rng=np.random.default_rng(drawn))
                by = by_category(files)
                rows.append(
                    {
                        "detector": scorer.name,
                        "origin": scorer.origin,
                        "profile": profile,
                        "threshold": kind,
                        "at": threshold,
                        "score": score_of(files),
                        "low": low,
                        "high": high,
                        "windows": int(files["windows"].sum()),
                        "hit": int(files["hit"].sum()),
                        "false_alarms": int(files["false_alarms"].sum()),
                        "weakest": str(by.idxmin()),
                        "weakest_score": float(by.min()),
                    }
                )
    return pd.DataFrame(rows)


def category_table(corpus: Corpus, scores: Mapping[str, Scores]) -> pd.DataFrame:
    """Score every detector in every category, at the threshold that is best for all of them.

    Returns
    -------
    DataFrame
        One row a detector, profile and category (`ALL` for all of them): ``detector``,
        ``profile``, ``category``, ``score``.
    """
    rows = []
    for detector, own in scores.items():
        for profile, best in score_corpus(corpus, own).items():
            files = file_points(corpus, own, threshold=best.threshold, profile=profile)
            found = {ALL: score_of(files), **by_category(files).to_dict()}
            rows += [(detector, profile, name, score) for name, score in found.items()]
    return pd.DataFrame(rows, columns=["detector", "profile", "category", "score"])


def with_rests(scores: Floats, threshold: float) -> Floats:
    """Silence what comes shortly after an alarm: a twentieth of the rows so far, at most 200.

    Parameters
    ----------
    scores : array of shape (n_rows,)
        A detector's, of one series.
    threshold : float
        Scores from here on are alarms.

    Returns
    -------
    array of shape (n_rows,)
        The same, lowest where an alarm would lie in the rest after another.

    Examples
    --------
    >>> noisy = np.array([0.0] * 80 + [1.0] * 8)
    >>> np.flatnonzero(with_rests(noisy, 0.5) >= 0.5)
    array([80, 85])
    """
    quiet = scores.copy()
    free = 0
    for row in np.flatnonzero(scores >= threshold).tolist():
        if row < free:
            quiet[row] = -math.inf
        else:
            free = row + 1 + min(_LONGEST_REST, int(row * _REST))
    return np.where(np.isneginf(quiet), scores.min() - 1.0, quiet)


def rested_table(corpus: Corpus, scores: Mapping[str, Scores]) -> pd.DataFrame:
    """Score every detector with rests after its alarms, and as it is; standard profile.

    Returns
    -------
    DataFrame
        One row a detector, the best first: ``detector``, ``as it is`` and ``with rests``, each at
        the best threshold; with rests, the best of 60 that alarm on 0.01 % to 10 % of the rows.
    """
    rows = []
    for detector, own in scores.items():
        pooled = np.concatenate([own[name][series.scored] for name, series in corpus.items()])
        reached = [0.0]  # silence
        for threshold in np.unique(np.quantile(pooled, 1.0 - np.geomspace(1e-4, 0.1, 60))):
            quiet = {name: with_rests(own[name], float(threshold)) for name in corpus}
            reached.append(score_of(file_points(corpus, quiet, threshold=float(threshold))))
        plain = score_corpus(corpus, own)["standard"].score
        rows.append({"detector": detector, "as it is": plain, "with rests": max(reached)})
    return pd.DataFrame(rows).sort_values("with rests", ascending=False, ignore_index=True)


def stream_scores_at(
    corpus: Corpus, *, rates: Sequence[float] = RATES
) -> dict[float, dict[str, Floats]]:
    """Score the files by `StreamDetector` at several rates of alarms."""
    return {
        rate: {
            name: StreamDetector(rate=rate).score(series.values)["risk"].to_numpy(dtype=np.float64)
            for name, series in corpus.items()
        }
        for rate in rates
    }


def leave_one_category_out(
    corpus: Corpus, scores: Mapping[float, Scores], *, profile: str = "standard"
) -> pd.DataFrame:
    """Choose rate and threshold without a category, and score the category with them.

    Parameters
    ----------
    corpus : mapping of str to LabelledSeries
        Of two categories or more that have windows.
    scores : mapping of float to mapping
        Scores of a detector at each rate that may be chosen.
    profile : str
        Of `PROFILES`.

    Returns
    -------
    DataFrame
        One row a category: ``category``, ``rate`` and ``at`` (the threshold) that are best on the
        others, ``score`` of the category with them, ``chosen_with`` (its score with what is best on
        all categories, this one too), ``chosen_on`` (with what is best on this one alone), ``loss``
        (``chosen_with`` less ``score``), ``points``, ``most`` and ``least``, which `score_of` sums.

    Raises
    ------
    ValueError
        Where fewer than two categories have windows.
    """
    having = {category(name) for name, series in corpus.items() if (series.window >= 0).any()}
    names = [name for name in dict.fromkeys(map(category, corpus)) if name in having]
    if len(names) < 2:
        raise ValueError(f"corpus must have windows in two categories or more, got {len(names)}.")
    whole = _best(corpus, scores, profile=profile)
    rows = []
    for left_out in names:
        own = {name: series for name, series in corpus.items() if category(name) == left_out}
        rest = {name: series for name, series in corpus.items() if name not in own}
        rate, at = _best(rest, scores, profile=profile)
        files = file_points(own, scores[rate], threshold=at, profile=profile)
        chosen = {
            "chosen_with": whole,
            "chosen_on": _best(own, scores, profile=profile),
        }
        reached = {
            kind: score_of(file_points(own, scores[where], threshold=cut, profile=profile))
            for kind, (where, cut) in chosen.items()
        }
        sums = {name: float(files[name].sum()) for name in ("points", "most", "least")}
        held = score_of(files)
        loss = reached["chosen_with"] - held
        rows.append(
            {"category": left_out, "rate": rate, "at": at, "score": held}
            | reached
            | {"loss": loss}
            | sums
        )
    return pd.DataFrame(rows)


def _best(corpus: Corpus, scores: Mapping[float, Scores], *, profile: str) -> tuple[float, float]:
    """Give the rate and the threshold of the highest score."""
    found = {rate: score_corpus(corpus, own)[profile] for rate, own in scores.items()}
    rate = max(found, key=lambda which: found[which].score)
    return rate, found[rate].threshold
