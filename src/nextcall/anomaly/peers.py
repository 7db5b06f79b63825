"""Other libraries' detectors as a benchmark asks them, where they are installed.

Each is used as its documentation says, at its defaults, one series at a time; those of river and
libspot are set up in `nextcall.anomaly.peer_scores`. What must be fitted first is fitted on the
first 15 % of the rows, which the benchmark does not score.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Final

import numpy as np

from nextcall.anomaly import peer_scores
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
        ("HalfSpaceTrees", "river", False, partial(peer_scores.river_trees, seed=seed)),
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


def _gaussian(values: Floats, *, rate: float, window: int | None) -> Floats:
    inside = peer_scores.river_gaussian(values, window=window)
    return np.asarray(rate / (rate + 1.0 - inside), dtype=np.float64)


def _spot(values: Floats, *, rate: float) -> Floats:
    tails = peer_scores.libspot_tails(values, first=max(2, int(_FIRST * len(values))), q=rate)
    return np.asarray(rate / (rate + tails), dtype=np.float64)


def _isolation_forest(values: Floats, *, seed: int) -> Floats:
    rows = np.column_stack([values, np.concatenate([values[:1], values[:-1]])])
    first = max(2, int(_FIRST * len(values)))
    forest = import_module("sklearn.ensemble").IsolationForest(random_state=seed).fit(rows[:first])
    return np.asarray(-forest.score_samples(rows), dtype=np.float64)
