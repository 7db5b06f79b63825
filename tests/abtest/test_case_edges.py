"""Cases at the edge of floats, beside exact fractions."""

from collections.abc import Sequence
from fractions import Fraction
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats

from nextcall.abtest.analysis import analyze
from nextcall.abtest.case import quantities
from nextcall.abtest.metrics import Mean

Exact = list[Fraction]
Floats = NDArray[np.float64]


def mean(values: Exact) -> Fraction:
    return sum(values, Fraction()) / len(values)


def covariance(one: Exact, other: Exact) -> Fraction:
    means = mean(one), mean(other)
    parts = ((a - means[0]) * (b - means[1]) for a, b in zip(one, other, strict=True))
    return sum(parts, Fraction()) / (len(one) - 1)


def root(value: Fraction) -> float:
    """Give a square root to 30 digits, at any scale."""
    scale = 10 ** max(0, 60 - len(str(value.numerator)) + len(str(value.denominator)))
    scale *= scale
    return float(Fraction(isqrt(value.numerator * scale // value.denominator), isqrt(scale)))


def exact(values: Floats) -> Exact:
    return [Fraction(float(each)) for each in values]


def welch(arms: Sequence[Exact]) -> dict[str, float]:
    """Give Welch's test by its definition."""
    control, treatment = arms
    parts = [covariance(arm, arm) / len(arm) for arm in arms]
    se, off = root(sum(parts, Fraction())), float(mean(treatment) - mean(control))
    squares = sum(part**2 / (len(arm) - 1) for part, arm in zip(parts, arms, strict=True))
    dof = float(sum(parts, Fraction()) ** 2 / squares)
    reach = float(stats.t.isf(0.0005, dof)) * se
    relative = mean(treatment) / mean(control)
    relative_se = root((parts[1] + parts[0] * relative**2) / mean(control) ** 2)
    return {
        "abs_effect": off,
        "abs_se": se,
        "dof": dof,
        "abs_ci_low": off - reach,
        "abs_ci_high": off + reach,
        "abs_p_value": 2 * float(stats.t.sf(abs(off) / se, dof)),
        "rel_effect": float(relative - 1),
        "rel_delta_se": relative_se,
    }


def answers(
    kind: str, arms: Sequence[Any], columns: Sequence[str], folder: Path
) -> dict[str, float]:
    """Write the arms as a file, each float in full, and answer the case."""
    rows = pd.DataFrame(np.concatenate(arms), columns=list(columns))
    rows["variant"] = np.repeat(["control", "treatment"], [len(arm) for arm in arms])
    rows.to_csv(folder / "rows.csv", index=False)
    found = quantities({"kind": kind, "file": "rows.csv", "alpha": 0.001}, folder)
    return {name: value for name, value in found.items() if isinstance(value, float | int)}


def check(found: dict[str, float], expected: dict[str, float], *, rel: float = 1e-9) -> None:
    noise = 1e-15 * abs(found["control"])  # what the next float is off
    for name, value in expected.items():
        allowed = noise if name.startswith("abs_c") or name == "abs_effect" else 1e-300
        assert found[name] == pytest.approx(value, rel=rel, abs=allowed), name


def drawn(law: str, n: int, rng: np.random.Generator) -> Floats:
    if law == "heavy":
        return rng.pareto(1.1, n)
    if law == "rare":
        return np.where(np.arange(n) == 1, 40.0, 0.0)
    return np.full(n, 0.1)


@pytest.mark.parametrize("law", ["heavy", "rare", "constant"])
@pytest.mark.parametrize("sizes", [(2, 3), (40, 25), (3, 300)])
@pytest.mark.parametrize(("offset", "scale"), [(1e8, 1), (1e15, 16), (0, 1e-140), (0, 1e145)])
def test_means_are_those_of_fractions(
    law: str, sizes: tuple[int, int], offset: float, scale: float, tmp_path: Path
) -> None:
    rng = np.random.default_rng(11)
    arms = [drawn(law, sizes[0], rng), rng.normal(3.5, 2.0, sizes[1])]
    arms = [arm * scale + offset for arm in arms]
    found = answers("mean", [arm[:, None] for arm in arms], ["y"], tmp_path)
    check(found, welch([exact(arm) for arm in arms]))


@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_covariates_take_out_what_they_do_of_fractions(offset: float, tmp_path: Path) -> None:
    rng = np.random.default_rng(12)
    before = rng.gamma(2.0, 5.0, 70) + offset
    after = before + rng.normal(size=70)
    arms = [np.column_stack([after, before])[part] for part in (slice(30), slice(30, 70))]
    y, x = exact(after), exact(before)
    theta = covariance(x, y) / covariance(x, x)
    adjusted = [a - theta * (b - mean(x)) for a, b in zip(y, x, strict=True)]
    found = answers("cuped", arms, ["numer", "numer_pre"], tmp_path)
    check(found, {**welch([adjusted[:30], adjusted[30:]]), "theta": float(theta)})


def test_a_covariate_that_leaves_a_ten_millionth_leaves_eight_digits(tmp_path: Path) -> None:
    rng = np.random.default_rng(13)
    before = rng.gamma(2.0, 5.0, 70)
    after = before + rng.normal(0.0, 7.0 * 1e-7**0.5, 70)
    arms = [np.column_stack([after, before])[part] for part in (slice(30), slice(30, 70))]
    y, x = exact(after), exact(before)
    theta = covariance(x, y) / covariance(x, x)
    adjusted = [a - theta * (b - mean(x)) for a, b in zip(y, x, strict=True)]
    found = answers("cuped", arms, ["numer", "numer_pre"], tmp_path)
    assert found["var_reduction"] == pytest.approx(1 - 1e-7, abs=1e-7)
    expected = welch([adjusted[:30], adjusted[30:]])
    assert found["abs_se"] == pytest.approx(expected["abs_se"], rel=1e-8)


def test_ratios_are_those_of_fractions(tmp_path: Path) -> None:
    rng = np.random.default_rng(14)
    sessions = rng.poisson(4, 60) + 1.0
    clicks = sessions * rng.gamma(2.0, 1.0, 60) - 3
    rows = np.column_stack([clicks * 1e60, sessions])
    found = answers("ratio", [rows[:20], rows[20:]], ["numer", "denom"], tmp_path)
    linear = []
    for part in (rows[:20], rows[20:]):
        top, bottom = exact(part[:, 0]), exact(part[:, 1])
        ratio, middle = mean(top) / mean(bottom), mean(bottom)
        linear.append([ratio + (a - ratio * b) / middle for a, b in zip(top, bottom, strict=True)])
    check(found, welch(linear))


def test_sums_over_rows_lose_digits_of_an_offset() -> None:
    rng = np.random.default_rng(15)
    unit = np.repeat(np.arange(1000), rng.integers(1, 8, 1000))
    value = rng.normal(size=len(unit)) + rng.normal(size=1000)[unit]
    rows = pd.DataFrame({"variant": np.where(unit % 2, "A", "B"), "unit": unit})
    found = [
        analyze(rows.assign(y=value + offset), control="A", metrics=[Mean("y")], unit="unit")
        for offset in (0.0, 1e6)
    ]
    plain, far = (each.comparisons[0].difference.se for each in found)
    assert far == pytest.approx(plain, rel=1e-4)
