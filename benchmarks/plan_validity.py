"""Whether planned tests hold alpha and have their power, and which power of two shares is right.

Plans are simulated with the library's tests, with no effect and with the planned one: metrics,
laws, methods and numbers of looks; "peeking" reads each look as though it were the only one. The
power of Welch's test, an approximation where arms differ, is put beside drawn tests of few units.
The three forms of the power of two shares are put beside the power of the score test and of
Fisher's, counted over all outcomes. Prints JSON, or writes it to ``--output``.
"""

import os
import time
from itertools import product

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before the libraries load
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from json_output import give, parser_of
from scipy import stats

from nextcall.abtest.design import design
from nextcall.abtest.exact_power import exact_share_power
from nextcall.abtest.looks import LookMethod
from nextcall.abtest.plan_simulation import simulate_plan
from nextcall.abtest.planned_tests import MeanTest, ShareForm, ShareTest
from nextcall.abtest.simulate import Law
from nextcall.abtest.target import Target

MEAN = Target(metric="mean", baseline=10.0, sd=4.0, mde=0.5)
SHARE = Target(metric="proportion", baseline=0.1, mde=0.01)
RATIO = Target(metric="ratio", baseline=0.3, sd=1.0, mde=0.1)
METHODS: tuple[tuple[LookMethod, int], ...] = (
    ("fixed", 1),
    ("group-sequential", 5),
    ("group-sequential", 20),
    ("always-valid", 5),
    ("always-valid", 20),
)
CASES: tuple[tuple[str, Target, Law], ...] = (
    ("mean, normal", MEAN, "normal"),
    ("mean, lognormal", MEAN, "lognormal"),
    ("proportion", SHARE, "normal"),
    ("ratio", RATIO, "normal"),
)
FORMS: tuple[ShareForm, ...] = ("pooled", "unpooled", "arcsine")


def plans(*, runs: int, slow_runs: int, rng: np.random.Generator) -> list[dict[str, object]]:
    """Simulate plans; laws that are drawn unit by unit as often as `slow_runs` says."""
    found: list[dict[str, object]] = []
    for (name, target, law), (method, looks) in product(CASES, METHODS):
        plan = design(target, method=method, looks=looks)
        drawn = law == "normal" and target.metric != "ratio"
        begin = time.perf_counter()
        each = simulate_plan(plan, rng=rng, runs=runs if drawn else slow_runs, law=law)
        found.append(
            {
                "metric": name,
                "method": method,
                "looks": looks,
                "n": plan.n[0],
                "inflation": plan.looks.inflation,
                "runs": each.runs,
                "false_alarms": each.false_alarms.share,
                "false_alarms_peeking": each.peeking.share,
                "power": each.power.share,
                "stopped_at": each.expected,
                "seconds": time.perf_counter() - begin,
            }
        )
    return found


def welch(*, runs: int, rng: np.random.Generator) -> list[dict[str, float]]:
    """Put Welch's power beside that of drawn tests."""
    found = []
    for (n, other), sd in product(((5, 5), (5, 15), (15, 5), (30, 10)), (1.0, 3.0)):
        ratio = other / n
        effect = 3.0 * float(np.sqrt(1 / n + sd**2 / other))
        test = MeanTest(sd=1.0, sd_treatment=sd, ratio=ratio)
        arms = effect + sd * rng.normal(size=(runs, other)), rng.normal(size=(runs, n))
        drawn = stats.ttest_ind(*arms, axis=1, equal_var=False).pvalue < 0.05
        found.append(
            {
                "n_control": n,
                "n_treatment": other,
                "sd_ratio": sd,
                "planned": test.power(n, effect, 0.05),
                "drawn": float(drawn.mean()),
            }
        )
    return found


def shares() -> dict[str, dict[str, float]]:
    """Give how far each form is off the counted powers, in the mean and at most, over a grid."""
    grid = product((0.02, 0.1, 0.3, 0.5), (50, 200, 500), (0.5, 1.0, 2.0), (0.5, 0.8, 0.95))
    off: dict[str, list[float]] = {
        f"{form}, {test}": [] for form in FORMS for test in ("score", "fisher")
    }
    for baseline, n, ratio, power in grid:
        size = round(n * ratio)
        plain = ShareTest(baseline=baseline, ratio=size / n)
        effects = np.linspace(0, 1 - baseline, 2001)[1:-1]
        powers = np.array([plain.power(n, float(effect), 0.05) for effect in effects])
        effect = float(effects[min(int(np.searchsorted(powers, power)), len(effects) - 1)])
        sizes, truth = (n, size), (baseline, baseline + effect)
        score = exact_share_power(sizes, truth)
        fisher = exact_share_power(sizes, truth, test="fisher")
        for form in FORMS:
            planned = ShareTest(baseline=baseline, ratio=size / n, form=form)
            value = planned.power(n, effect, 0.05)
            off[f"{form}, score"].append(value - score)
            off[f"{form}, fisher"].append(value - fisher)
    return {
        name: {
            "mean": float(np.mean(each)),
            "mean_absolute": float(np.mean(np.abs(each))),
            "largest": float(np.max(np.abs(each))),
        }
        for name, each in off.items()
    }


def main() -> None:
    """Measure, and print or write JSON."""
    parser = parser_of(__doc__, seed=0)
    parser.add_argument("--runs", type=int, default=200_000)
    parser.add_argument("--slow-runs", type=int, default=5_000)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    found = {
        "plans": plans(runs=given.runs, slow_runs=given.slow_runs, rng=rng),
        "welch": welch(runs=given.runs, rng=rng),
        "shares": shares(),
    }
    give(found, given.output)


if __name__ == "__main__":
    main()
