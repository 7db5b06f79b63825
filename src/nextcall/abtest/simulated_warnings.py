"""How often an analysis of simulated tests warns, beside how often its intervals hold the truth."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextcall.abtest.analysis import analyze
from nextcall.abtest.metrics import Mean, Metric, Proportion, Ratio
from nextcall.abtest.simulate import Truth, draw_units


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """What analyses of tests without an effect said.

    Parameters
    ----------
    runs : int
    covered : int
        Runs whose interval held 0.
    warned : int
        Runs that warned.
    first : str
        The first warning; empty without one.
    """

    runs: int
    covered: int
    warned: int
    first: str


def count_warned(truth: Truth, n: int, *, runs: int, rng: np.random.Generator) -> Warned:
    """Analyse tests of two arms that do not differ, row by row, as a user would.

    Parameters
    ----------
    truth : Truth
        Its effects play no part.
    n : int
        Units of each arm.
    runs : int
        At least 1.

    Raises
    ------
    ValueError
        Where there is no run.

    Examples
    --------
    >>> skewed = Truth(law="lognormal")
    >>> found = count_warned(skewed, 100, runs=5, rng=np.random.default_rng(0))
    >>> found.warned, found.first.split(":")[0]
    (5, 'A is skewed (1.6)')
    """
    if runs < 1:
        raise ValueError(f"runs must be at least 1, got {runs}.")
    metric = _metric(truth)
    variant = pd.Categorical(np.repeat(["A", "B"], n))
    covered, told = 0, []
    for _ in range(runs):
        drawn = draw_units(truth, 2 * n, rng=rng)
        rows = pd.DataFrame({"variant": variant} | _columns(truth, drawn))
        (found,) = analyze(rows, control="A", metrics=[metric]).comparisons
        covered += found.difference.ci_lower <= 0 <= found.difference.ci_upper
        told.append(found.warnings)
    some = [each for each in told if each]
    return Warned(runs=runs, covered=covered, warned=len(some), first=some[0][0] if some else "")


def _metric(truth: Truth) -> Metric:
    if truth.metric == "proportion":
        return Proportion("value")
    if truth.metric == "ratio":
        return Ratio("value", "other")
    return Mean("value", covariate=() if truth.rho is None else "other")


def _columns(truth: Truth, drawn: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    names = ("value", "other")[: truth.n_columns]
    return dict(zip(names, drawn, strict=True))
