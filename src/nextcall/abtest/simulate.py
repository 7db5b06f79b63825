"""Many A/B tests with a known truth, as moments: thousands of runs in seconds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import e, isfinite, sqrt
from types import MappingProxyType
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Law = Literal["normal", "lognormal", "pareto"]
"""Of a unit's value around its mean: bell-shaped, or skewed as revenue is (log-normal with sigma 1,
Pareto with shape 3)."""

_LAWS: Final = get_args(Law)
_KINDS: Final = ("mean", "proportion", "ratio")
_CELLS: Final = 1 << 21  # values that are drawn at once
_MORE_ROWS: Final = 4.0  # mean of the rows of a ratio's unit beyond its first


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What the simulated units are like.

    Parameters
    ----------
    metric : {"mean", "proportion", "ratio"}
    baseline : float
        Control's true value.
    effects : tuple of float
        What each treatment adds to it.
    sd : float
        Of a unit's part in the metric; not read of a proportion.
    law : {"normal", "lognormal", "pareto"}
        Of a unit's value; not read of a proportion. Skewed ones are shifted and scaled to the
        baseline and `sd`.
    rho : float, optional
        Correlation with a covariate of mean 0 and standard deviation 1, of a mean only.

    Raises
    ------
    ValueError
        Where one is out of its range.
    """

    metric: Literal["mean", "proportion", "ratio"] = "mean"
    baseline: float = 0.0
    effects: tuple[float, ...] = (0.0,)
    sd: float = 1.0
    law: Law = "normal"
    rho: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.metric not in _KINDS:
            raise ValueError(f"metric must be one of {_KINDS}, got {self.metric!r}.")
        if self.law not in _LAWS:
            raise ValueError(f"law must be one of {_LAWS}, got {self.law!r}.")
        if not (self.sd > 0 and isfinite(self.sd)):
            raise ValueError(f"sd must be above 0 and finite, got {self.sd}.")
        if len(self.effects) == 0 or not np.isfinite([self.baseline, *self.effects]).all():
            raise ValueError(f"baseline and effects must be finite, got {self.effects}.")
        if self.metric == "proportion" and not all(0 <= value <= 1 for value in self.values):
            raise ValueError(f"shares must lie between 0 and 1, got {self.values}.")
        if self.rho is not None and (self.metric != "mean" or not -1 < self.rho < 1):
            raise ValueError(f"rho must lie between -1 and 1, of a mean only, got {self.rho}.")

    @property
    def values(self) -> tuple[float, ...]:
        """The true value of each variant, control first."""
        return (self.baseline, *(self.baseline + effect for effect in self.effects))

    @property
    def n_columns(self) -> int:
        """Of a unit: metric and covariate, or numerator and denominator."""
        return 2 if self.metric == "ratio" or self.rho is not None else 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Runs:
    """Moments of simulated tests at each look.

    Parameters
    ----------
    truth : Truth
    n : array of shape (n_looks, n_variants)
        Units so far.
    mean : array of shape (n_runs, n_looks, n_variants, n_columns)
    products : array of shape (n_runs, n_looks, n_variants, n_columns, n_columns)
        As in `nextcall.abtest.moments.Moments`.
    """

    truth: Truth
    n: NDArray[np.int64]
    mean: Floats
    products: Floats


def simulate_tests(
    truth: Truth, n: Sequence[Sequence[int]], *, runs: int, rng: np.random.Generator
) -> Runs:
    """Draw tests, and keep the moments at each look.

    Moments of normal values and of shares are drawn from their own laws (chi-square, Wishart,
    binomial), whatever the number of units; others unit by unit.

    Parameters
    ----------
    n : sequence of sequences of int
        At each look the units of each variant so far, control first; they rise from look to look.
    runs : int
        At least 1.

    Raises
    ------
    ValueError
        Where an argument is out of its range.

    Examples
    --------
    >>> found = simulate_tests(Truth(effects=(0.1,)), [[500, 500], [1000, 1000]], runs=2000,
    ...                        rng=np.random.default_rng(0))
    >>> found.mean.shape, found.mean[:, -1, 1, 0].mean().round(2)
    ((2000, 2, 2, 1), np.float64(0.1))
    """
    sizes = np.array(n, dtype=np.int64)
    if sizes.ndim != 2 or sizes.shape[1] != len(truth.values):
        raise ValueError(
            f"n must hold {len(truth.values)} variants at each look, got {np.shape(n)}."
        )
    steps = np.diff(sizes, axis=0, prepend=0)
    if steps.min() < 1:
        raise ValueError(f"n must rise from above 0 from look to look, got {sizes.tolist()}.")
    if runs < 1:
        raise ValueError(f"runs must be at least 1, got {runs}.")
    width = truth.n_columns
    mean = np.zeros((runs, *sizes.shape, width))
    products = np.zeros((*mean.shape, width))
    for arm, value in enumerate(truth.values):
        for look, step in enumerate(steps[:, arm].tolist()):
            new = _drawn(truth, value, step, runs, rng)
            if look == 0:
                mean[:, 0, arm], products[:, 0, arm] = new
                continue
            before, total = int(sizes[look - 1, arm]), int(sizes[look, arm])
            off = new[0] - mean[:, look - 1, arm]
            mean[:, look, arm] = mean[:, look - 1, arm] + off * (step / total)
            products[:, look, arm] = (
                products[:, look - 1, arm]
                + new[1]
                + off[:, :, None] * off[:, None, :] * (before * step / total)
            )
    return Runs(truth=truth, n=sizes, mean=mean, products=products)


def draw_units(truth: Truth, n: int, *, rng: np.random.Generator) -> Floats:
    """Draw the units of control.

    Returns
    -------
    array of shape (n_columns, n)
        The value; a covariate, or the denominator of a ratio.

    Examples
    --------
    >>> found = draw_units(Truth(baseline=5.0, rho=0.7), 1000, rng=np.random.default_rng(0))
    >>> found[0].mean().round(1), np.corrcoef(found)[0, 1].round(1)
    (np.float64(5.0), np.float64(0.7))
    """
    if truth.metric == "proportion":
        return (rng.random((1, n)) < truth.baseline).astype(np.float64)
    found = _units(truth, (1, n), rng)[:, 0]
    found[0] += truth.baseline * (found[1] if truth.metric == "ratio" else 1.0)
    return found


def _drawn(
    truth: Truth, value: float, n: int, runs: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Give means and products of n units of a variant, in each run."""
    if truth.metric == "proportion":
        count = rng.binomial(n, value, size=(runs, 1)).astype(np.float64)
        return count / n, (count * (n - count) / n)[:, :, None]
    if truth.metric == "mean" and truth.law == "normal":
        return _normal(truth, value, n, runs, rng)
    mean, products = [], []
    block = max(_CELLS // n, 1)
    for begin in range(0, runs, block):
        units = _units(truth, (min(block, runs - begin), n), rng)
        middle = units.mean(axis=2)
        units -= middle[:, :, None]
        mean.append(middle.T)
        product = [[np.einsum("rn,rn->r", one, other) for one in units] for other in units]
        products.append(np.array(product).transpose(2, 0, 1))
    centre = np.concatenate(mean)
    if truth.metric == "ratio":  # the numerator was drawn around 0
        tilt = np.array([[1.0, value], [0.0, 1.0]])
        return centre @ tilt.T, np.asarray(tilt @ np.concatenate(products) @ tilt.T)
    centre[:, 0] += value
    return centre, np.concatenate(products)


def _normal(
    truth: Truth, value: float, n: int, runs: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Draw means and products of normal units: Bartlett's decomposition of Wishart's law."""
    width = truth.n_columns
    root = np.zeros((runs, width, width))
    for column in range(width):
        root[:, column, column] = np.sqrt(2 * rng.standard_gamma(max(n - 1 - column, 0) / 2, runs))
    if width == 2 and n > 1:
        root[:, 1, 0] = rng.normal(size=runs)
    rho = 0.0 if truth.rho is None else truth.rho
    # The covariate first, then the metric, so that one row of units keeps them in step.
    scale = np.array([[truth.sd * rho, truth.sd * sqrt(1 - rho**2)], [1.0, 0.0]])
    scale = scale if width == 2 else np.array([[truth.sd]])
    shape = scale @ root
    mean = rng.normal(size=(runs, width)) @ scale.T / sqrt(n)
    mean[:, 0] += value
    return mean, shape @ shape.transpose(0, 2, 1)


def _units(truth: Truth, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Draw units around a mean of 0; columns first."""
    draw = _DRAWS[truth.law]
    if truth.metric == "ratio":
        rows = 1.0 + rng.poisson(_MORE_ROWS, shape)
        first, second = 1 + _MORE_ROWS, (1 + _MORE_ROWS) ** 2 + _MORE_ROWS  # of the rows' moments
        return np.stack([rows * draw(rng, shape) * (truth.sd * first / sqrt(second)), rows])
    own = draw(rng, shape)
    if truth.rho is None:
        return own[None] * truth.sd
    covariate = draw(rng, shape)
    value = truth.rho * covariate + sqrt(1 - truth.rho**2) * own
    return np.stack([value * truth.sd, covariate])


def _lognormal(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return (rng.lognormal(size=shape) - sqrt(e)) / sqrt((e - 1) * e)


def _pareto(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return (rng.pareto(3.0, size=shape) - 0.5) / sqrt(0.75)  # numpy's begins at 0


def _bell(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return rng.normal(size=shape)


_DRAWS: Final[Mapping[Law, Callable[[np.random.Generator, tuple[int, int]], Floats]]] = (
    MappingProxyType({"normal": _bell, "lognormal": _lognormal, "pareto": _pareto})
)
