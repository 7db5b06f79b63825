"""Type I error and coverage of what `nextcall.abtest` says of counts, by enumeration or simulation.

    python benchmarks/counts_validity.py --output counts_validity.json

Proportions: every table of two arms is weighed by its chance under true shares, so coverage and
type I error are exact, not simulated. `compare_proportions` stands beside Wald's, Newcombe's and
Agresti-Caffo's intervals, and the pooled z test. Sample ratio: `--runs` tests looked at after every
one of `--units` units, the plan being right (a false alarm at 0.05 and 0.01) and off by 0.01 to
0.05 (median units to the alarm at 0.01), for several concentrations. Dunnett: `--runs` tests of
four equal arms. Prints JSON, or writes it to ``--output``.
"""

from collections import Counter

import numpy as np
from json_output import give, parser_of
from numpy.typing import NDArray
from scipy import stats

from nextcall.abtest.dunnett import dunnett
from nextcall.abtest.effect import Arm
from nextcall.abtest.proportions import compare_proportions
from nextcall.abtest.score_intervals import score_difference
from nextcall.abtest.sequential_srm import sample_ratio_path
from nextcall.abtest.share_effects import (
    agresti_caffo_difference,
    newcombe_difference,
    share_difference,
)
from nextcall.abtest.shares import Share

_PAIRS = ((0.1, 0.1), (0.1, 0.2), (0.02, 0.02), (0.02, 0.06), (0.5, 0.5), (0.5, 0.7))
_ALPHA = 0.05


def proportions(control_n: int, treatment_n: int) -> dict[str, dict[str, float]]:
    """Give exact coverage of each interval, and type I error where shares are equal."""
    methods = ("score", "newcombe", "agresti-caffo", "wald")
    tables: dict[str, NDArray[np.float64]] = {
        name: np.empty((control_n + 1, treatment_n + 1, 2)) for name in methods
    }
    pvalues = np.empty((2, control_n + 1, treatment_n + 1))
    for x in range(control_n + 1):
        for y in range(treatment_n + 1):
            control, treatment = Share(successes=x, n=control_n), Share(successes=y, n=treatment_n)
            wald = share_difference(control, treatment)
            tables["score"][x, y] = score_difference(control, treatment)
            tables["newcombe"][x, y] = newcombe_difference(control, treatment)
            tables["agresti-caffo"][x, y] = agresti_caffo_difference(control, treatment)
            tables["wald"][x, y] = wald.ci_lower, wald.ci_upper
            found = compare_proportions(control, treatment)
            pooled = share_difference(control, treatment, pooled=True)
            pvalues[:, x, y] = found.difference.pvalue, pooled.pvalue
    results: dict[str, dict[str, float]] = {}
    for p, q in _PAIRS:
        chance = np.outer(
            stats.binom.pmf(np.arange(control_n + 1), control_n, p),
            stats.binom.pmf(np.arange(treatment_n + 1), treatment_n, q),
        )
        row = {
            f"coverage_{name}": float(
                chance[(ends[..., 0] <= q - p + 1e-12) & (q - p - 1e-12 <= ends[..., 1])].sum()
            )
            for name, ends in tables.items()
        }
        if p == q:
            row["type1_compare"] = float(chance[pvalues[0] <= _ALPHA].sum())
            row["type1_pooled_z"] = float(chance[pvalues[1] <= _ALPHA].sum())
        results[f"{control_n}x{treatment_n}_{p}_{q}"] = row
    return results


def sample_ratios(rng: np.random.Generator, runs: int, units: int) -> dict[str, dict[str, float]]:
    """Give false alarms and the median time to a true one."""
    results: dict[str, dict[str, float]] = {}
    for concentration in (100.0, 1_000.0, 10_000.0):
        row: dict[str, float] = {}
        last = np.array(
            [
                sample_ratio_path(rng.integers(2, size=units), [1, 1], concentration=concentration)[
                    -1
                ]
                for _ in range(runs)
            ]
        )
        row |= {f"false_alarm_{level}": float(np.mean(last <= level)) for level in (0.05, 0.01)}
        for off in (0.01, 0.02, 0.05):
            times = []
            for _ in range(max(runs // 10, 20)):
                drawn = (rng.random(units) < 0.5 + off).astype(np.int64)
                path = sample_ratio_path(drawn, [1, 1], concentration=concentration)
                times.append(float(np.searchsorted(-path, -0.01) + 1))
            row[f"median_units_to_alarm_{off}"] = float(np.median(times))
        results[f"concentration_{concentration:g}"] = row
    return results


def many_to_one(rng: np.random.Generator, runs: int) -> dict[str, float]:
    """Give how often any of three equal treatments is found different."""
    rows = rng.normal(size=(runs, 4, 25))
    reach = dunnett(*_arms(rows[0])).critical
    means, sd = rows.mean(axis=2), np.sqrt(rows.var(axis=2, ddof=1).mean(axis=1))
    t = np.abs(means[:, 1:] - means[:, :1]) / (sd * np.sqrt(2 / 25))[:, None]
    plain = stats.t(96).isf(_ALPHA / 2)
    found = Counter(
        dunnett=int((t.max(axis=1) > reach).sum()), none=int((t.max(axis=1) > plain).sum())
    )
    return {name: count / runs for name, count in found.items()}


def _arms(rows: NDArray[np.float64]) -> tuple[Arm, list[Arm]]:
    arms = [
        Arm(n=len(row), estimate=float(row.mean()), variance=float(row.var(ddof=1))) for row in rows
    ]
    return arms[0], arms[1:]


def main() -> None:
    """Measure, and print or write."""
    parser = parser_of(__doc__, seed=0)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--units", type=int, default=20_000)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    result = {
        "runs": options.runs,
        "units": options.units,
        "proportions": {**proportions(30, 30), **proportions(50, 150)},
        "sample_ratio": sample_ratios(rng, options.runs, options.units),
        "many_to_one": many_to_one(rng, 20 * options.runs),
    }
    give(result, options.output)


if __name__ == "__main__":
    main()
