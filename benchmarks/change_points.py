"""F1 of change points told online, beside ruptures' Pelt, which sees the whole series.

    python benchmarks/change_points.py --seeds 12 --output change_points.json

Series of `nextcall.synth` with the four level shifts and four trends that it plants, each in a slot
of 150 rows. A change point is a row at which the planted level jumps or a trend begins: begin, end,
the middle step of a staircase, every turn of a toggle; a ramp's end too. Seasonal series are taken
less their true mean, in true standard deviations, by all alike. A place is right within `--margin`
rows of a change point, one to one.

Pelt (ruptures' ``KernelCPD(kernel="linear")``, compiled, ``jump=1``, ``min_size=2``) gets the
noise's standard deviation from differences of the whole series, and a penalty of a multiple of
log(n): the multiple with the best F1 on these very series. The online methods have one rate, the
default; ``*_best`` is the best of a small grid as Pelt's. Intervals: bootstrap over series, the
same draws for all. Prints JSON, or writes it to ``--output``.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import pandas as pd
from json_output import give, parser_of
from numpy.typing import NDArray

from nextcall.anomaly.change_detector import Method, find_changes
from nextcall.anomaly.offline_changes import find_changes_offline
from nextcall.synth.anomalies import KINDS, plant_anomalies
from nextcall.synth.series import SeriesSettings, metric_series

_KINDS: Final = tuple(kind for kind in KINDS if kind.startswith(("level_shift", "trend")))
_SLOT: Final = 150
_BLOCK: Final = 5  # rows between two turns of a toggle
_METHODS: Final[tuple[Method, ...]] = ("focus", "cusum", "page_hinkley")
_RATES: Final = (1 / 200, 1 / 500, 1 / 1000, 1 / 2000)
_DEFAULT: Final = 1 / 1000
_PENALTIES: Final = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0)
_BIC: Final = 2.0
_DRAWS: Final = 2_000

Counts = NDArray[np.float64]
"""Hits, places told, change points."""


def change_points(truth: pd.DataFrame) -> list[tuple[int, str]]:
    """List the rows at which a planted level changes, with the kind of the fault."""
    points: list[tuple[int, str]] = []
    for kind, first, last in zip(truth["kind"], truth["first"], truth["last"], strict=True):
        length = last - first + 1
        rows = {first, last + 1}
        if kind.endswith("staircase"):
            rows.add(first + length // 2)
        elif kind.endswith("toggle"):
            rows |= {first + turn for turn in range(_BLOCK, length, _BLOCK)}
            if (length - 1) // _BLOCK % 2:
                rows.remove(last + 1)  # it was off already
        points += [(int(row), str(kind)) for row in sorted(rows)]
    return sorted(points)


def matched(places: Iterable[int], points: Sequence[int], margin: int) -> list[int]:
    """Pair places with change points within a margin, most pairs; the positions of the points."""
    hit, at = [], 0
    for place in sorted(places):
        while at < len(points) and points[at] < place - margin:
            at += 1
        if at < len(points) and points[at] <= place + margin:
            hit.append(at)
            at += 1
    return hit


def series(
    *, kind: str, season: float, size: float, seed: int
) -> tuple[NDArray[np.float64], pd.DataFrame]:
    """Draw a series with its faults, less its season."""
    rng = np.random.default_rng(seed)
    settings = SeriesSettings(kind="count" if kind == "count" else "latency", season=season)
    plain = metric_series(_SLOT * len(_KINDS), rng=rng, settings=settings)
    frame, truth = plant_anomalies(plain, rng=rng, kinds=_KINDS, sizes=(size,))
    values = frame["value"].to_numpy()
    if season:
        values = (values - frame["expected"].to_numpy()) / frame["sigma"].to_numpy()
    return values, truth


def f1(counts: Counts) -> NDArray[np.float64]:
    """Compute F1 of hits, places told and change points in the last axis."""
    f1s: NDArray[np.float64] = 2 * counts[..., 0] / (counts[..., 1] + counts[..., 2])
    return f1s


def _interval(drawn: NDArray[np.float64]) -> list[float]:
    return [round(float(each), 4) for each in np.quantile(drawn, (0.025, 0.975))]


def _ways(values: NDArray[np.float64]) -> dict[str, list[int]]:
    found = {
        f"{method}@1/{round(1 / rate)}": find_changes(values, method=method, rate=rate)
        for method in _METHODS
        for rate in _RATES
    }
    for multiple in _PENALTIES:
        penalty = multiple * math.log(len(values))
        found[f"pelt@{multiple:g}"] = find_changes_offline(values, penalty=penalty)
    return {name: [change.place for change in changes] for name, changes in found.items()}


def main() -> None:
    """Run, and print or write."""
    parser = parser_of(__doc__)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--first-seed", type=int, default=1_000)
    parser.add_argument("--margin", type=int, default=5)
    arguments = parser.parse_args()
    rows: list[str] = []
    counts: dict[str, list[list[float]]] = {}
    kinds: dict[str, dict[str, list[int]]] = {}
    for kind in ("count", "latency"):
        for season in (0.0, 1.0):
            for size in (3.0, 4.0, 5.0, 6.0):
                for seed in range(arguments.seeds):
                    values, truth = series(
                        kind=kind, season=season, size=size, seed=arguments.first_seed + seed
                    )
                    points = change_points(truth)
                    rows.append(f"{kind}, {'seasonal' if season else 'flat'}, {size:g} sigma")
                    for name, places in _ways(values).items():
                        hit = matched(places, [row for row, _ in points], arguments.margin)
                        counts.setdefault(name, []).append([len(hit), len(places), len(points)])
                        of = kinds.setdefault(name, {})
                        for at, (_, fault) in enumerate(points):
                            of.setdefault(fault, []).append(int(at in hit))
    tables = {name: np.array(each) for name, each in counts.items()}
    whole = {name: float(f1(table.sum(axis=0))) for name, table in tables.items()}
    best = {
        method: max((name for name in whole if name.startswith(method)), key=whole.__getitem__)
        for method in (*_METHODS, "pelt")
    }
    chosen = {
        **{method: f"{method}@1/{round(1 / _DEFAULT)}" for method in _METHODS},
        **{f"{method}_best": best[method] for method in _METHODS},
        "pelt_bic": f"pelt@{_BIC:g}",
        "pelt_best": best["pelt"],
    }
    draws = np.random.default_rng(0).integers(0, len(rows), (_DRAWS, len(rows)))
    drawn = {name: f1(tables[way][draws].sum(axis=1)) for name, way in chosen.items()}
    groups = pd.Series(rows).groupby(rows).indices
    result: dict[str, object] = {
        "benchmark": "change_points",
        "series": len(rows),
        "margin_rows": arguments.margin,
        "f1": {
            name: {
                "way": way,
                "f1": round(whole[way], 4),
                "interval": _interval(drawn[name]),
                "precision": round(float(tables[way][:, 0].sum() / tables[way][:, 1].sum()), 4),
                "recall": round(float(tables[way][:, 0].sum() / tables[way][:, 2].sum()), 4),
                "over_pelt_best": round(whole[way] / whole[best["pelt"]], 4),
                "over_pelt_best_interval": _interval(drawn[name] / drawn["pelt_best"]),
            }
            for name, way in chosen.items()
        },
        "f1_by_series": {
            name: {
                str(group): round(
                    float(f1(tables[way][place].sum(axis=0))), 3
                )
                for group, place in groups.items()
            }
            for name, way in chosen.items()
            if not name.endswith("_best") or name == "pelt_best"
        },
        "recall_by_fault": {
            name: {fault: round(float(np.mean(each)), 3) for fault, each in kinds[way].items()}
            for name, way in chosen.items()
            if not name.endswith("_best") or name == "pelt_best"
        },
        "f1_of_the_grid": {name: round(value, 4) for name, value in whole.items()},
    }  # fmt: skip
    give(result, arguments.output)


if __name__ == "__main__":
    main()
