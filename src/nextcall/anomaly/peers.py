"""Other libraries' detectors as a benchmark asks them, where they are installed.

Each is used as its documentation says, at its defaults, one series at a time. What must be fitted
first is fitted on the first 15 % of the rows, which the benchmark does not score.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import numpy as np

from nextcall.anomaly.scorers import DEFAULT_RATE, Floats, Scorer, Times

_FIRST: Final = 0.15  # share of a series that may be fitted on
_DAY: Final = 288  # rows of five minutes


def peer_scorers(
    *, rate: float = DEFAULT_RATE, seed: int = 0
) -> tuple[list[Scorer], dict[str, str]]:
    """List the peers that are installed, and name those that are not.

    A peer that gives a probability p of a value as far out says rate / (rate + p): 0.5 at the rate.

    Parameters
    ----------
    rate : float
        Alarms a row that are wanted of a series with nothing wrong.
    seed : int
        Of the trees.

    Returns
    -------
    list of Scorer
        The peers that can be asked.
    dict of str to str
        Name and library of those that are not installed.
    """
    offered: list[tuple[str, str, bool, Callable[[Floats], Floats]]] = [
        ("GaussianScorer", "river", True, partial(_gaussian, rate=rate, window=None)),
        ("GaussianScorer, 288 rows", "river", True, partial(_gaussian, rate=rate, window=_DAY)),
        ("HalfSpaceTrees", "river", False, partial(_half_space_trees, seed=seed)),
        ("Spot, both tails", "libspot", True, partial(_spot, rate=rate)),
        ("IsolationForest, 2 rows", "sklearn", True, partial(_isolation_forest, seed=seed)),
    ]
    there = {library for _, library, _, _ in offered if find_spec(library) is not None}
    scorers = [
        Scorer(name=name, origin=library, decides=decides, score=_without_times(score))
        for name, library, decides, score in offered
        if library in there
    ]
    return scorers, {name: library for name, library, _, _ in offered if library not in there}


def _without_times(score: Callable[[Floats], Floats]) -> Callable[[Floats, Times], Floats]:
    return lambda values, _: score(values)


def _library(name: str) -> Any:
    return import_module(name)


def _gaussian(values: Floats, *, rate: float, window: int | None) -> Floats:
    scorer = _library("river.anomaly").GaussianScorer(window_size=window)
    inside = np.zeros(len(values))  # 2 |Phi - 1/2|
    for row, value in enumerate(values.tolist()):
        with suppress(TypeError):  # a flat window's variance may be below 0, its root complex
            inside[row] = scorer.score_one(None, value)
        scorer.learn_one(None, value)
    return np.asarray(rate / (rate + 1.0 - inside), dtype=np.float64)


def _half_space_trees(values: Floats, *, seed: int) -> Floats:
    scale = _library("river.preprocessing").MinMaxScaler()
    trees = _library("river.anomaly").HalfSpaceTrees(seed=seed)
    scores = np.empty(len(values))
    for row, value in enumerate(values.tolist()):
        scale.learn_one({"value": value})
        scaled = scale.transform_one({"value": value})
        scores[row] = trees.score_one(scaled)
        trees.learn_one(scaled)
    return scores


def _spot(values: Floats, *, rate: float) -> Floats:
    tails = [_spot_tail(values.tolist(), rate=rate, low=low) for low in (False, True)]
    return np.asarray(rate / (rate + np.min(tails, axis=0)), dtype=np.float64)


def _spot_tail(values: list[float], *, rate: float, low: bool) -> Floats:
    """Give the probability of a value as far out; 1 within the edge, and where it cannot be fit."""
    tail = np.ones(len(values))
    first = max(2, int(_FIRST * len(values)))
    spot = _library("libspot").Spot(q=rate, low=low)
    try:
        spot.fit(values[:first])
    except RuntimeError:  # refuses a flat start
        return tail
    for row, value in enumerate(values[first:], start=first):
        edge = spot.excess_threshold
        if value < edge if low else value > edge:
            tail[row] = np.nan_to_num(spot.probability(value), nan=0.0)  # beyond the law's end
        spot.step(value)
    return tail


def _isolation_forest(values: Floats, *, seed: int) -> Floats:
    rows = np.column_stack([values, np.concatenate([values[:1], values[:-1]])])
    first = max(2, int(_FIRST * len(values)))
    forest = _library("sklearn.ensemble").IsolationForest(random_state=seed).fit(rows[:first])
    return np.asarray(-forest.score_samples(rows), dtype=np.float64)
