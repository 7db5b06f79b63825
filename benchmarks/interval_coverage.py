"""Coverage of 95 % intervals of a difference between two arms of one law, and of cluster tests.

    python benchmarks/interval_coverage.py --output interval_coverage.json

Every table has 100, 1,000 and 10,000 units an arm. The arms do not differ, so that an interval
covers where it holds 0.

- ``means``: Welch's interval, for normal, lognormal and Pareto (index 3) values.
- ``ratios``: the delta method for clicks a session, with lognormal rates and unequal activity;
  ``naive`` holds sessions to be independent.
- ``proportions``: of 0.001, summed over all outcomes, not simulated: Wald's, Newcombe's and the
  score interval. There is no room for 0.95 at 100 units, where nine tests in ten see no event.
- ``quantiles``: order statistics are drawn as those of exponential spacings, so that only those
  around the quantile are. ``resampled`` and ``spacing`` are the errors of `quantile_arm`, with
  Welch's t law; ``percentile`` and ``basic`` those of `resampled_difference`, in a fortieth of
  the runs. ``warned`` says whether the library warns.
- ``clustered_quantiles``: several rows a unit, by the library's own functions.
- ``clusters``: share of tests that find a difference where none is, for 8 to 100 clusters in all,
  of unequal size, half of them treated; ``skewed`` has one treated cluster in four.
"""

from collections.abc import Callable

import numpy as np
from json_output import give, parser_of
from numpy.typing import NDArray
from scipy import special, stats

from nextcall.abtest.clusters import ClusterMethod, Clusters, clustered_difference
from nextcall.abtest.effect import difference
from nextcall.abtest.quantiles import quantile_arm
from nextcall.abtest.resampled_quantiles import (
    ResampledQuantile,
    chance_of_difference,
    neighbour_chances,
)
from nextcall.abtest.score_intervals import score_difference
from nextcall.abtest.share_effects import newcombe_difference, share_difference
from nextcall.abtest.shares import Share

Floats = NDArray[np.float64]

UNITS = (100, 1_000, 10_000)
SHARES = (0.5, 0.9, 0.99)
LAWS: dict[str, Callable[[Floats], Floats]] = {
    "normal": special.ndtri,
    "lognormal": lambda chances: np.exp(special.ndtri(chances)),
    "pareto 3": lambda chances: np.expm1(-np.log1p(-chances) / 3),
}
Z = 1.959963984540054  # Phi^-1(0.975)
BLOCK = 4_000_000  # values at once


def covered(value: Floats, variances: Floats, n: int) -> float:
    """Give the share of Welch's intervals that hold 0; variances of both arms' estimates."""
    total = variances.sum(axis=0)
    dof = total**2 / ((variances**2).sum(axis=0) / (n - 1))
    return float(np.mean(np.abs(value) <= stats.t.isf(0.025, dof) * np.sqrt(total)))


def means(draw: Callable[[tuple[int, int]], Floats], n: int, runs: int) -> float:
    """Give the coverage of Welch's interval."""
    moments = []
    for _ in range(2):
        blocks = []
        for begin in range(0, runs, BLOCK // n):
            values = draw((min(BLOCK // n, runs - begin), n))
            blocks.append([values.mean(axis=1), values.var(axis=1, ddof=1) / n])
        moments.append(np.concatenate(blocks, axis=1))
    control, treatment = moments
    return covered(treatment[0] - control[0], np.stack([control[1], treatment[1]]), n)


def ratios(n: int, runs: int, rng: np.random.Generator) -> dict[str, float]:
    """Give the coverage of the delta method and of sessions held to be independent."""
    values, delta, naive = [], [], []
    for _ in range(2):
        parts = []
        for begin in range(0, runs, BLOCK // n):
            shape = (min(BLOCK // n, runs - begin), n)
            sessions = 1.0 + rng.geometric(0.25, shape)
            rates = special.expit(rng.normal(-1.0, 1.0, shape))
            clicks = rng.binomial(sessions.astype(np.int64), rates)
            ratio = clicks.sum(axis=1) / sessions.sum(axis=1)
            off = clicks - ratio[:, None] * sessions
            own = off.var(axis=1, ddof=1) / n / sessions.mean(axis=1) ** 2
            parts.append([ratio, own, ratio * (1 - ratio) / sessions.sum(axis=1)])
        ratio, own, plain = np.concatenate(parts, axis=1)
        values.append(ratio)
        delta.append(own)
        naive.append(plain)
    off = values[1] - values[0]
    return {"delta": covered(off, np.array(delta), n), "naive": covered(off, np.array(naive), n)}


def proportions(n: int) -> dict[str, float]:
    """Give exact coverages for a share of 0.001."""
    most = int(stats.binom.isf(1e-7, n, 0.001))
    chances = stats.binom.pmf(np.arange(most + 1), n, 0.001)
    found = dict.fromkeys(("wald", "newcombe", "score"), 0.0)
    for one in range(most + 1):
        for other in range(one + 1):  # the mirror image is covered as well or as badly
            chance = chances[one] * chances[other] * (1 if one == other else 2)
            arms = Share(successes=one, n=n), Share(successes=other, n=n)
            wald = share_difference(*arms)
            ends = {
                "wald": (wald.ci_lower, wald.ci_upper),
                "newcombe": newcombe_difference(*arms),
                "score": score_difference(*arms),
            }
            for name, (low, high) in ends.items():
                found[name] += chance * (low <= 0 <= high)
    return {name: float(value / chances.sum() ** 2) for name, value in found.items()}


def order_statistics(
    law: Callable[[Floats], Floats],
    n: int,
    ranks: tuple[int, int],
    runs: int,
    rng: np.random.Generator,
) -> Floats:
    """Draw the order statistics of two ranks, from 1, and all between; a row a run."""
    begin, end = ranks
    below = rng.gamma(begin, size=(runs, 1))
    steps = rng.exponential(size=(runs, end - begin))
    sums = np.hstack([below, below + np.cumsum(steps, axis=1)])
    above = rng.gamma(n + 1 - end, size=(runs, 1))
    return law(sums / (sums[:, -1:] + above))


def quantiles(
    law: Callable[[Floats], Floats], n: int, share: float, runs: int, rng: np.random.Generator
) -> dict[str, float | bool]:
    """Give the coverage of each method."""
    place = (n - 1) * share
    low, part = int(place), place - int(place)
    first, second, chances = neighbour_chances(n, low + 1, paired=part > 0)
    reach = Z * np.sqrt(share * (1 - share) / n)
    ends = np.clip([share - reach, share + reach], 0, 1) * (n - 1)
    begin = min(int(first.min()), int(ends[0]) + 1)
    end = min(n, max(int(second.max()), int(ends[1]) + 2))
    grid = np.zeros((end - begin + 1, end - begin + 1))
    grid[first - begin, second - begin] = chances / chances.sum()
    across, down = grid.sum(axis=1), grid.sum(axis=0)
    estimates: list[Floats] = []
    resampled: list[Floats] = []
    spacing: list[Floats] = []
    for _ in range(2):
        found = []
        for start in range(0, runs, 4_000):
            window = order_statistics(law, n, (begin, end), min(4_000, runs - start), rng)
            at = [
                (1 - (rank - int(rank))) * window[:, int(rank) - begin + 1]
                + (rank - int(rank)) * window[:, min(int(rank) + 1, n - 1) - begin + 1]
                for rank in (place, *ends)
            ]
            off = window - at[0][:, None]
            mean = (1 - part) * off @ across + part * off @ down
            square = (1 - part) ** 2 * off**2 @ across + part**2 * off**2 @ down
            square += 2 * part * (1 - part) * ((off @ grid) * off).sum(axis=1)
            width = (at[2] - at[1]) / (2 * Z)
            found.append([at[0], square - mean**2, width**2 * (n - 1) / n])
        for known, each in zip(
            (estimates, resampled, spacing), np.concatenate(found, axis=1), strict=True
        ):
            known.append(each)
    off = estimates[1] - estimates[0]
    held = {"percentile": 0, "basic": 0}
    few = max(1, runs // 40)
    for _ in range(few):
        arms = [law(rng.random(n)) for _ in range(2)]
        one, other = (ResampledQuantile.of(arm, share) for arm in arms)
        value = float(np.quantile(arms[1], share) - np.quantile(arms[0], share))
        for name, edge in (("percentile", 0.0), ("basic", 2 * value)):
            held[name] += 0.025 <= chance_of_difference(one, other, edge) <= 0.975
    return {
        "resampled": covered(off, np.array(resampled), n),
        "spacing": covered(off, np.array(spacing), n),
        **{name: hits / few for name, hits in held.items()},
        "warned": bool(quantile_arm(law(rng.random(n)), share).warnings),
    }


def clustered_quantiles(
    n_units: int, share: float, runs: int, rng: np.random.Generator
) -> dict[str, float]:
    """Give the coverage with some five rows a unit, with and without their units."""
    held = {"units": 0, "rows": 0}
    for _ in range(runs):
        arms = []
        for _ in range(2):
            units = np.repeat(np.arange(n_units), rng.geometric(0.2, n_units))
            values = np.exp(rng.normal(size=len(units)) + rng.normal(size=n_units)[units])
            arms.append((quantile_arm(values, share, units=units), quantile_arm(values, share)))
        for place, name in enumerate(held):
            effect = difference(arms[0][place].arm, arms[1][place].arm)
            held[name] += effect.ci_lower <= 0 <= effect.ci_upper
    return {name: hits / runs for name, hits in held.items()}


def clusters(
    n_clusters: int, treated: int, runs: int, rng: np.random.Generator
) -> dict[str, float]:
    """Give the share of tests that find a difference where none is."""
    methods: tuple[ClusterMethod, ...] = ("cr2", "cr1", "delta")
    found = dict.fromkeys([*methods, "cr1_z"], 0)
    for _ in range(runs):
        sizes = rng.poisson(rng.gamma(2.0, 10.0, n_clusters)) + 1
        codes = np.repeat(np.arange(n_clusters), sizes)
        values = rng.normal(size=len(codes)) + 0.5 * rng.normal(size=n_clusters)[codes]
        known = Clusters.of(values, codes < treated, codes)
        for method in methods:
            found[method] += clustered_difference(known, method=method).pvalue < 0.05
        found["cr1_z"] += clustered_difference(known, method="cr1", normal=True).pvalue < 0.05
    return {name: hits / runs for name, hits in found.items()}


def main() -> None:
    """Measure, and give the tables."""
    parser = parser_of(__doc__, seed=0)
    parser.add_argument("--runs", type=int, default=20_000)
    options = parser.parse_args()
    runs, rng = options.runs, np.random.default_rng(options.seed)
    draws: dict[str, Callable[[tuple[int, int]], Floats]] = {
        "normal": rng.standard_normal,
        "lognormal": lambda shape: np.exp(rng.standard_normal(shape)),
        "pareto 3": lambda shape: rng.pareto(3.0, shape),
    }
    give(
        {
            "runs": runs,
            "seed": options.seed,
            "means": {
                name: {n: means(draw, n, runs) for n in UNITS} for name, draw in draws.items()
            },
            "ratios": {n: ratios(n, max(1, runs // 4), rng) for n in UNITS},
            "proportions": {n: proportions(n) for n in UNITS},
            "quantiles": {
                name: {
                    share: {n: quantiles(law, n, share, runs, rng) for n in UNITS}
                    for share in SHARES
                }
                for name, law in LAWS.items()
            },
            "clustered_quantiles": {
                share: {
                    n: clustered_quantiles(n, share, max(1, runs // 10), rng) for n in UNITS[:2]
                }
                for share in SHARES[:2]
            },
            "clusters": {
                name: {n: clusters(n, n // part, max(1, runs // 5), rng) for n in (8, 20, 40, 100)}
                for name, part in (("even", 2), ("skewed", 4))
            },
        },
        options.output,
    )


if __name__ == "__main__":
    main()
