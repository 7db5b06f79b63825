"""Segments beside statsmodels' meta-analysis and adjustments, and simulated levels."""

from math import inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests

from nextcall.abtest.effect import Arm, difference
from nextcall.abtest.means import mean_arm
from nextcall.abtest.moments import Moments
from nextcall.abtest.segments import SegmentAdjustment, compare_segments

Pairs = dict[str, tuple[Arm, Arm]]


def draw(rng: np.random.Generator, sizes: list[int], *, between: float = 0.0) -> Pairs:
    """Give arms of segments whose effects vary, and whose variances do."""
    arms = {}
    for place, n in enumerate(sizes):
        effect = between * rng.normal()
        pair = [rng.normal(shift, 1 + place, n) for shift in (0.0, effect)]
        arms[f"s{place}"] = (mean_arm(Moments.of(pair[0])), mean_arm(Moments.of(pair[1])))
    return arms


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 9))
def test_sums_over_segments_are_statsmodels(seed: int, n: int) -> None:
    arms = draw(np.random.default_rng(seed), [40] * n, between=1.0)
    found = compare_segments(arms)
    effects = [difference(*pair) for pair in arms.values()]
    known = combine_effects(
        np.array([e.value for e in effects]), np.array([e.se for e in effects]) ** 2
    )
    assert found.q == pytest.approx(known.q)
    assert found.i2 == pytest.approx(max(known.i2, 0.0), abs=1e-9)
    assert found.common.value == pytest.approx(known.mean_effect_fe)
    assert found.common.se == pytest.approx(known.sd_eff_w_fe)
    adjustments: dict[SegmentAdjustment, str] = {"holm": "holm", "bh": "fdr_bh"}
    for adjustment, name in adjustments.items():
        segments = compare_segments(arms, adjustment=adjustment).segments.values()
        expected = multipletests([each.effect.pvalue for each in segments], method=name)[1]
        assert [each.adjusted_pvalue for each in segments] == pytest.approx(expected)


def test_alike_segments_are_told_apart_as_often_as_promised() -> None:
    rng, runs, naive, wrong = np.random.default_rng(1), 250, 0, 0
    for _ in range(runs):
        found = compare_segments(draw(rng, [5, 6, 8, 10, 12, 5]))
        wrong += found.pvalue < 0.05
        naive += found.q > 11.07  # chi-square with 5 degrees of freedom
    assert abs(wrong / runs - 0.05) < 3 * np.sqrt(0.05 * 0.95 / runs)
    assert naive > 1.5 * wrong


def test_segments_that_differ_are_found_and_drawn_together() -> None:
    found = compare_segments(draw(np.random.default_rng(3), [400] * 6, between=2.0))
    assert found.pvalue < 1e-6
    assert found.i2 > 0.8
    assert 0.7 < found.between < 5
    for segment in found.segments.values():
        assert segment.shrunk_ci_lower < segment.shrunk < segment.shrunk_ci_upper
        low, high = sorted([segment.effect.value, found.common.value])
        assert low - 1 < segment.shrunk < high + 1
    assert (found.reversed, found.warnings) == (False, ())


def test_simpsons_paradox_is_told() -> None:
    arms = {
        "small stones": (
            Arm(n=87, estimate=81 / 87, variance=0.064),
            Arm(n=270, estimate=234 / 270, variance=0.115),
        ),
        "large stones": (
            Arm(n=263, estimate=192 / 263, variance=0.197),
            Arm(n=80, estimate=55 / 80, variance=0.215),
        ),
    }  # Charig et al. (1986), BMJ 292: open surgery against nephrolithotomy
    overall = difference(
        Arm(n=350, estimate=273 / 350, variance=0.17), Arm(n=350, estimate=289 / 350, variance=0.14)
    )
    found = compare_segments(arms, overall=overall)
    assert found.reversed
    assert found.mix_pvalue < 1e-20
    assert "same mix of segments" in found.warnings[0]
    assert "Simpson's paradox" in found.warnings[1]
    assert not compare_segments(arms).reversed


def test_segments_without_an_error_are_set_aside_and_told() -> None:
    whole = (Arm(n=20, estimate=1.0, variance=2.0), Arm(n=30, estimate=2.0, variance=2.0))
    one = (Arm(n=1, estimate=1.0, variance=nan), Arm(n=30, estimate=2.0, variance=2.0))
    still = (Arm(n=5, estimate=1.0, variance=0.0), Arm(n=5, estimate=1.0, variance=0.0))
    found = compare_segments({"whole": whole, "one": one, "still": still})
    assert isnan(found.pvalue)
    assert (found.q, found.i2, found.between) == (0.0, 0.0, 0.0)
    assert isnan(found.segments["one"].adjusted_pvalue)
    assert found.segments["one"].shrunk_ci_upper == inf
    assert found.segments["still"].shrunk == 0.0
    assert found.warnings[:2] == tuple(
        f"segment {name!r} has too few units that vary: its effect has no error."
        for name in ("one", "still")
    )
    none = compare_segments({"one": one})
    assert isnan(none.q)
    assert isnan(none.common.value)
    assert isnan(none.mix_pvalue)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one segment"):
        compare_segments({})
    arms = draw(np.random.default_rng(0), [5])
    with pytest.raises(ValueError, match="adjustment must be one of"):
        compare_segments(arms, adjustment="by")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="alpha must lie"):
        compare_segments(arms, alpha=2.0)
