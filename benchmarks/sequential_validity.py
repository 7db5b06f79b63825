"""Type I error and sample size of tests that are looked at more than once, beside gbstats'.

    python benchmarks/sequential_validity.py --peer-python /venv/with/gbstats/bin/python

Two arms of one law, so that whatever is shown is an error: looked at once, at 5, 10 and 20 even
looks up to 1,000 units an arm, and after every pair of units (one in each arm) from 30 to 2,000 an
arm; once more with four units of control to one of treatment. Then a true effect of 0.1 standard
deviations: how large each method's test must be planned to show it with a given power, and at which
size it stops on average. gbstats' confidence sequence (default tuning of 5,000) is computed here by
its closed form; ``--peer-python`` checks that against the package on random arms. One core. Prints
JSON, or writes it to ``--output``.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before the libraries load

import numpy as np
from json_output import give, parser_of
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtri

from nextcall.abtest.bounded_sequences import BoundedMean
from nextcall.abtest.confidence_sequences import asymptotic_sequence, mixture_rate
from nextcall.abtest.effect import Arm, difference
from nextcall.abtest.horizon_sequences import Horizon, horizon_bounds, t_score
from nextcall.abtest.simulated_looks import (
    LAWS,
    Draw,
    Reading,
    beyond,
    continuous_readings,
    count_shown,
    mixture_bounds,
    planned_readings,
    t_scores,
)

Array = NDArray[np.float64]

_ALPHA = 0.05
_TUNING = 5000.0  # gbstats' default
_FIRST = 30  # units an arm at the first look
_BLOCK = 200

_PEER = """
import json, sys
from gbstats.frequentist.tests import SequentialConfig, SequentialTwoSidedTTest
from gbstats.models.statistics import SampleMeanStatistic
found = []
for n, mean, variance, m, other, spread in json.load(sys.stdin):
    arms = [SampleMeanStatistic(n=k, sum=k * a, sum_squares=(k - 1) * v + k * a * a)
            for k, a, v in ((n, mean, variance), (m, other, spread))]
    test = SequentialTwoSidedTTest(*arms, SequentialConfig(difference_type="absolute"))
    result = test.compute_result()
    found.append([*result.ci, result.p_value])
print(json.dumps(found))
"""


def main() -> None:
    """Run it."""
    parser = parser_of(__doc__, seed=0)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--power-runs", type=int, default=6_000)
    parser.add_argument("--peer-python")
    args = parser.parse_args()
    begin = time.perf_counter()
    found: dict[str, object] = {
        "runs": args.runs,
        "type_one": {
            law: type_one(draw, args.runs, np.random.default_rng(args.seed))
            for law, draw in LAWS.items()
        },
        "type_one_unequal": {
            law: unequal(draw, args.runs // 2, np.random.default_rng(args.seed + 4))
            for law, draw in LAWS.items()
        },
        "power": power(args.power_runs, np.random.default_rng(args.seed + 1)),
        "bounded_missed": bounded_missed(args.runs // 20, np.random.default_rng(args.seed + 2)),
    }
    if args.peer_python:
        found["gbstats_closed_form"] = peer(args.peer_python, np.random.default_rng(args.seed + 3))
    found["seconds"] = round(time.perf_counter() - begin, 1)
    give(found, args.output)


def type_one(draw: Draw, runs: int, rng: np.random.Generator) -> dict[str, float]:
    """Give how often each method shows an effect where there is none."""
    peer_rate = mixture_rate(_TUNING, _ALPHA, approximate=True)
    every = continuous_readings(2000, first=_FIRST, alpha=_ALPHA)
    sizes = every["always_valid"].sizes
    tests = {
        "fixed_once": planned_readings(1000, 1, alpha=_ALPHA)["naive"],
        "always_valid_every_unit": every["always_valid"],
        "gbstats_every_unit": Reading(
            sizes=sizes, bounds=mixture_bounds(sizes, peer_rate, alpha=_ALPHA), exact=False
        ),
        "mixture_every_unit": every["mixture"],
    }
    for looks in (5, 10, 20):
        planned = planned_readings(1000, looks, alpha=_ALPHA)
        sizes = planned["naive"].sizes
        planned["gbstats"] = Reading(
            sizes=sizes, bounds=mixture_bounds(sizes, peer_rate, alpha=_ALPHA), exact=False
        )
        tests |= {f"{name}_{looks}": reading for name, reading in planned.items()}
    shown = count_shown(draw, tests, runs=runs, rng=rng)
    return {name: count / runs for name, count in shown.items()}


def unequal(draw: Draw, runs: int, rng: np.random.Generator) -> dict[str, float]:
    """Give how often each shows an effect where there is none, one unit in five treated.

    Looked at after every treated unit, from 30 to 1,000 of them.
    """
    every = np.arange(_FIRST, 1001)
    n = 5 * every
    plain = np.full(len(n), np.inf)
    plain[-1] = -ndtri(_ALPHA / 2)
    last, first = float(n[-1]), float(n[0])
    rate = mixture_rate(_TUNING, _ALPHA, approximate=True)
    tests = {
        "fixed_once": (plain, True),
        "always_valid_every_unit": (horizon_bounds(Horizon(last=last, first=first), n), True),
        "always_valid_shape_1_every_unit": (
            horizon_bounds(Horizon(last=last, first=first, shape=1.0), n),
            True,
        ),
        "gbstats_every_unit": (mixture_bounds(n / 2, rate, alpha=_ALPHA), False),
    }
    shown = dict.fromkeys(tests, 0)
    for begin in range(0, runs, _BLOCK):
        block = min(_BLOCK, runs - begin)
        scores, dof = t_scores(draw, rng, (block, len(every) + _FIRST - 1), of=4)
        for name, (bounds, exact) in tests.items():
            late = slice(_FIRST - 1, None)
            shown[name] += int(beyond(scores[:, late], dof[:, late], bounds, exact=exact).sum())
    return {name: count / runs for name, count in shown.items()}


def power(runs: int, rng: np.random.Generator) -> dict[str, object]:
    """Give the sizes at which an effect of 0.1 standard deviations is shown."""
    size, effect = 5000, 0.1
    sizes = np.arange(_FIRST, size + 1)

    def paths(effect: float) -> NDArray[np.float32]:
        kept = np.empty((runs, len(sizes)), dtype=np.float32)
        for begin in range(0, runs, _BLOCK):
            block = min(_BLOCK, runs - begin)
            scores, _ = t_scores(LAWS["normal"], rng, (block, size), effect=effect)
            kept[begin : begin + block] = np.abs(scores[:, _FIRST - 1 :])
        return kept

    scores = paths(effect)
    peer_bounds = mixture_bounds(
        sizes, mixture_rate(_TUNING, _ALPHA, approximate=True), alpha=_ALPHA
    )
    peer_stops = stops(scores, peer_bounds)

    def horizon_stops(scores: NDArray[np.float32], last: int) -> Array:
        plan = Horizon(last=2.0 * last, first=2.0 * _FIRST)
        seen = sizes[sizes <= last]
        bounds = horizon_bounds(plan, 2 * seen, alpha=_ALPHA)
        bounds = np.array(
            [t_score(b, 2 * n - 2) for b, n in zip(bounds, seen.tolist(), strict=True)]
        )
        return stops(scores[:, : len(seen)], bounds)

    found: dict[str, object] = {"runs": runs, "effect": effect}
    for goal in (0.8, 0.9):
        peer_size = int(np.quantile(peer_stops, goal, method="inverted_cdf")) + _FIRST
        last = round(
            brentq(
                lambda each, goal=goal: (
                    np.isfinite(horizon_stops(scores, round(each))).mean() - goal
                ),
                1000,
                4000,
                xtol=4,
            )
        )
        stopped = horizon_stops(scores, last)
        ours = np.minimum(stopped + _FIRST, last)
        theirs = np.minimum(peer_stops + _FIRST, peer_size)
        found[f"power_{goal}"] = {
            "always_valid": {
                "planned": last,
                "power": float(np.isfinite(stopped).mean()),
                "mean_size": round(float(ours.mean()), 1),
                "median_size": float(np.median(ours)),
            },
            "gbstats": {
                "planned": peer_size,
                "power": float((peer_stops + _FIRST <= peer_size).mean()),
                "mean_size": round(float(theirs.mean()), 1),
                "median_size": float(np.median(theirs)),
            },
            "smaller": round(1 - float(ours.mean() / theirs.mean()), 4),
            "smaller_error": round(
                float(np.std(ours - theirs * (ours.mean() / theirs.mean())) / theirs.mean())
                / runs**0.5,
                4,
            ),
        }
        if goal == 0.8:  # the same two plans where the effect is another
            found["planned_for_0.1"] = {
                str(true): _other_effect(paths(true), last, peer_size, horizon_stops, peer_bounds)
                for true in (0.0, 0.05, 0.2, 0.4)
            }
    return found


def _other_effect(
    scores: NDArray[np.float32],
    last: int,
    peer_size: int,
    horizon_stops: Callable[[NDArray[np.float32], int], Array],
    peer_bounds: Array,
) -> dict[str, float]:
    ours, theirs = horizon_stops(scores, last), stops(scores, peer_bounds) + _FIRST
    return {
        "always_valid_shown": float(np.isfinite(ours).mean()),
        "always_valid_mean_size": round(float(np.minimum(ours + _FIRST, last).mean()), 1),
        "gbstats_shown": float((theirs <= peer_size).mean()),
        "gbstats_mean_size": round(float(np.minimum(theirs, peer_size).mean()), 1),
    }


def stops(scores: NDArray[np.float32], bounds: Array) -> Array:
    """Give the first look beyond the bound, from 0; infinite where there is none."""
    hits = scores >= bounds.astype(np.float32)
    return np.where(hits.any(axis=1), hits.argmax(axis=1), np.inf)


def bounded_missed(runs: int, rng: np.random.Generator) -> dict[str, float]:
    """Give how often the empirical Bernstein interval misses a share of 0.1 at any of 2,000 values.

    With the mean width of the interval at the end.
    """
    missed, width = 0, 0.0
    for _ in range(runs):
        seen = BoundedMean(0.0, 1.0, alpha=_ALPHA).update(rng.random(2000) < 0.1)
        missed += not seen.lower_ <= 0.1 <= seen.upper_
        width += (seen.upper_ - seen.lower_) / runs
    return {"runs": runs, "missed": missed / runs, "mean_width": round(width, 4)}


def peer(python: str, rng: np.random.Generator) -> dict[str, float]:
    """Give how far the closed form lies from gbstats itself, on random arms."""
    arms = [
        [
            int(rng.integers(30, 5000)), float(rng.normal(10, 1)), float(rng.uniform(0.5, 4)),
            int(rng.integers(30, 5000)), float(rng.normal(10, 1)), float(rng.uniform(0.5, 4)),
        ]
        for _ in range(500)
    ]  # fmt: skip
    answer = subprocess.run(
        [python, "-c", _PEER], input=json.dumps(arms), capture_output=True, text=True, check=True
    )
    rate, far = mixture_rate(_TUNING, _ALPHA, approximate=True), 0.0
    for given, theirs in zip(arms, json.loads(answer.stdout), strict=True):
        n, mean, variance, m, other, spread = given
        control = Arm(n=n, estimate=mean, variance=variance)
        treatment = Arm(n=m, estimate=other, variance=spread)
        ours = asymptotic_sequence(difference(control, treatment), n + m, rate=rate, alpha=_ALPHA)
        pairs = zip((ours.ci_lower, ours.ci_upper, ours.pvalue), theirs, strict=True)
        far = max(far, *(abs(a - b) for a, b in pairs))
    return {"arms": len(arms), "largest_difference": far}


if __name__ == "__main__":
    main()
