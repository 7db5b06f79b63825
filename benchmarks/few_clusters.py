"""How often a test of few units with several rows finds a difference that is not there.

    python benchmarks/few_clusters.py --output few_clusters.json

Arms of unequal units (rows are Poisson around a gamma of mean 20), which differ from one another by
half a row's standard deviation; ``wide`` arms have a treatment of twice the spread. Of each run the
p-values of `analyze`'s error (``cr2``, with the covariate taken out where there is one) and of the
delta method with Welch's degrees of freedom, at 0.05.
"""

import numpy as np
from json_output import give, parser_of
from numpy.typing import NDArray

from nextcall.abtest.effect import Arm, difference
from nextcall.abtest.few_clusters import sandwich_arms
from nextcall.abtest.means import adjusted_ratios
from nextcall.abtest.moments import Moments

Floats = NDArray[np.float64]

UNITS = {"4 + 4": (4, 4), "10 + 10": (10, 10), "15 + 5": (15, 5), "35 + 35": (35, 35)}


def draw(n: int, spread: float, *, covariate: bool, rng: np.random.Generator) -> Floats:
    """Give each unit's sum of the metric and its rows; with a covariate its sums, too."""
    rows = (rng.poisson(rng.gamma(2.0, 10.0, n)) + 1).astype(np.float64)
    own = rng.normal(size=n) * np.sqrt(rows) + 0.5 * rng.normal(size=n) * rows
    if not covariate:
        return np.column_stack([spread * own, rows])
    before = rng.normal(size=n) * rows
    return np.column_stack([spread * own + before, rows, before, rows])


def rates(
    units: tuple[int, ...], spread: float, *, covariate: bool, runs: int, rng: np.random.Generator
) -> dict[str, float]:
    """Give the share of runs with a p-value below 0.05."""
    found = {"cr2": 0, "delta": 0}
    for _ in range(runs):
        sums = [
            draw(n, each, covariate=covariate, rng=rng)
            for n, each in zip(units, (1.0, spread), strict=True)
        ]
        moments = [Moments.of(each) for each in sums]
        plain = adjusted_ratios(moments)
        arms: dict[str, tuple[Arm, ...]] = {
            "cr2": sandwich_arms(plain, moments, sums).arms,
            "delta": plain.arms,
        }
        for name, (control, treatment) in arms.items():
            found[name] += difference(control, treatment).pvalue < 0.05
    return {name: count / runs for name, count in found.items()}


def main() -> None:
    """Measure, and give the table."""
    parser = parser_of(__doc__, seed=0)
    parser.add_argument("--runs", type=int, default=4_000)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    result = {
        kind: {
            name: rates(units, spread, covariate=covariate, runs=options.runs, rng=rng)
            for name, units in UNITS.items()
        }
        for kind, spread, covariate in (
            ("plain", 1.0, False),
            ("wide", 2.0, False),
            ("covariate", 1.0, True),
        )
    }
    give({"runs": options.runs, "seed": options.seed, "type_1_error": result}, options.output)


if __name__ == "__main__":
    main()
