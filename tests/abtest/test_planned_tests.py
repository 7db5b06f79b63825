"""Planned tests beside statsmodels' powers and drawn data."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import NormalIndPower, TTestIndPower
from statsmodels.stats.proportion import power_proportions_2indep

from nextcall.abtest.effect import Alternative
from nextcall.abtest.exact_power import exact_share_power
from nextcall.abtest.planned_tests import MeanTest, ShareForm, ShareTest

_NAMES = {"two-sided": "two-sided", "greater": "larger", "less": "smaller"}


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize(("n", "ratio"), [(5, 1.0), (40, 0.4), (3000, 2.0), (1000, 0.001)])
@pytest.mark.parametrize("effect", [-0.08, 0.02, 0.05])
def test_means_have_the_power_that_statsmodels_gives(
    alternative: Alternative, n: int, ratio: float, effect: float
) -> None:
    options = {"nobs1": n, "alpha": 0.03, "ratio": ratio, "alternative": _NAMES[alternative]}
    # statsmodels' effect is the first group's minus the second's.
    t = MeanTest(sd=2.0, ratio=ratio, alternative=alternative)
    z = MeanTest(sd=2.0, ratio=ratio, alternative=alternative, normal=True)
    expected = TTestIndPower().power(effect, **options)
    assert t.power(n, 2 * effect, 0.03) == pytest.approx(expected, abs=1e-9)
    expected = NormalIndPower().power(effect, **options)
    assert z.power(n, 2 * effect, 0.03) == pytest.approx(expected, abs=1e-12)


def _drawn(n: tuple[int, int], sds: tuple[float, float], effect: float) -> list[np.ndarray]:
    rng = np.random.default_rng(11)
    means = [effect * arm + sds[arm] * rng.normal(size=(20_000, n[arm])) for arm in (0, 1)]
    return [means[1], means[0]]


@pytest.mark.parametrize(("n", "sds"), [((8, 16), (1.0, 3.0)), ((30, 15), (2.0, 1.0))])
def test_welchs_power_is_that_of_drawn_tests(n: tuple[int, int], sds: tuple[float, float]) -> None:
    test = MeanTest(sd=sds[0], sd_treatment=sds[1], ratio=n[1] / n[0])
    found = stats.ttest_ind(*_drawn(n, sds, 1.5), axis=1, equal_var=False).pvalue < 0.05
    assert test.power(n[0], 1.5, 0.05) == pytest.approx(found.mean(), abs=0.015)


def test_non_inferiority_and_equivalence_are_found_as_often_as_in_drawn_tests() -> None:
    treatment, control = _drawn((20, 20), (1.0, 1.0), 0.1)
    low = stats.ttest_ind(treatment + 0.9, control, axis=1, alternative="greater").pvalue < 0.05
    high = stats.ttest_ind(treatment - 0.9, control, axis=1, alternative="less").pvalue < 0.05
    above = MeanTest(sd=1.0, alternative="greater", null=-0.9)
    below = MeanTest(sd=1.0, alternative="less", null=0.9)
    equal = MeanTest(sd=1.0, margin=0.9)
    for test, expected in ((above, low), (below, high), (equal, low & high)):
        error = float(np.sqrt(expected.mean() * (1 - expected.mean()) / 20_000))
        assert test.power(20, 0.1, 0.05) == pytest.approx(expected.mean(), abs=4 * error)


@pytest.mark.parametrize("effect", [-0.03, 0.03])
def test_shares_have_the_power_that_statsmodels_gives(effect: float) -> None:
    found = ShareTest(baseline=0.2, ratio=1.5).power(500, effect, 0.05)
    expected = power_proportions_2indep(effect, 0.2, 750, ratio=500 / 750, alpha=0.05).power
    assert found == pytest.approx(expected, abs=1e-9)
    arcsine = ShareTest(baseline=0.2, ratio=1.5, form="arcsine").power(500, effect, 0.05)
    h = 2 * np.arcsin(np.sqrt(0.2 + effect)) - 2 * np.arcsin(np.sqrt(0.2))
    assert arcsine == pytest.approx(NormalIndPower().power(h, 500, 0.05, ratio=1.5), abs=1e-12)


@pytest.mark.parametrize(("n", "p", "q"), [(300, 0.05, 0.10), (900, 0.02, 0.045)])
def test_the_pooled_form_is_nearest_to_the_counted_power_of_the_score_test(
    n: int, p: float, q: float
) -> None:
    counted = exact_share_power((n, 3 * n), (p, q))
    forms: tuple[ShareForm, ...] = ("pooled", "unpooled", "arcsine")
    off = {
        form: abs(ShareTest(baseline=p, ratio=3.0, form=form).power(n, q - p, 0.05) - counted)
        for form in forms
    }
    assert min(off, key=off.__getitem__) == "pooled"
    assert off["pooled"] < 0.02


def test_margins_of_shares_take_walds_error() -> None:
    above = ShareTest(baseline=0.5, null=-0.1, alternative="greater", form="unpooled")
    equal = ShareTest(baseline=0.5, margin=0.1, form="unpooled")
    z = 0.1 / np.sqrt(0.5 / 1000)
    assert above.power(1000, 0.0, 0.05) == pytest.approx(stats.norm.sf(1.6448536 - z))
    assert equal.power(1000, 0.0, 0.05) == pytest.approx(1 - 2 * stats.norm.sf(z - 1.6448536))


def test_clusters_cost_their_design_effect() -> None:
    plain, clustered = ShareTest(baseline=0.3), ShareTest(baseline=0.3, factor=2.5)
    assert clustered.power(2500, 0.05, 0.05) == pytest.approx(plain.power(1000, 0.05, 0.05))


def test_the_wrong_way_counts_for_little() -> None:
    both, one = MeanTest(sd=1.0), MeanTest(sd=1.0, wrong_way=False)
    assert both.power(10, 0.0, 0.05) == pytest.approx(0.05)
    assert one.power(10, 0.0, 0.05) == pytest.approx(0.025)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sd": 0.0}, "sd must be above 0 and finite, got 0.0."),
        ({"sd": 1.0, "sd_treatment": -1.0}, "sd_treatment must be above 0"),
        ({"sd": 1.0, "ratio": float("inf")}, "ratio must be above 0 and finite, got inf."),
        ({"sd": 1.0, "alternative": "up"}, "alternative must be one of"),
        ({"sd": 1.0, "null": float("nan")}, "null must be finite, got nan."),
        ({"sd": 1.0, "margin": 0.0}, "margin must be above 0"),
        ({"sd": 1.0, "margin": 1.0, "null": 1.0}, "null and margin ask two questions"),
    ],
)
def test_a_mean_that_cannot_be_is_refused(options: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MeanTest(**options)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"baseline": 1.0}, "baseline must lie between 0 and 1, got 1.0."),
        ({"baseline": 0.5, "form": "exact"}, "form must be one of"),
        ({"baseline": 0.5, "factor": 0.0}, "factor must be above 0"),
        ({"baseline": 0.5, "null": 0.1}, "form must be 'unpooled' with a margin, got 'pooled'."),
    ],
)
def test_a_share_that_cannot_be_is_refused(options: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ShareTest(**options)  # type: ignore[arg-type]  # wrong on purpose


def test_an_effect_beyond_a_share_of_one_and_an_arm_too_small_are_refused() -> None:
    with pytest.raises(ValueError, match=r"baseline \+ effect must lie between 0 and 1"):
        ShareTest(baseline=0.9).power(100, 0.2, 0.05)
    with pytest.raises(ValueError, match=r"n must be at least 4, got 3\."):
        MeanTest(sd=1.0, sd_treatment=2.0, ratio=0.5).power(3, 0.2, 0.05)
    with pytest.raises(ValueError, match=r"n must be at least 2, got 1\."):
        MeanTest(sd=1.0).power(1, 0.2, 0.05)


@pytest.mark.parametrize(("baseline", "effect"), [(0.5, 1e-9), (0.999, -1e-8), (1e-6, 1e-13)])
def test_an_angle_of_a_small_effect_keeps_its_digits(baseline: float, effect: float) -> None:
    # The arcsine's slope is 1 / sqrt(p (1 - p)): the variance at the middle of both shares.
    middle = baseline + effect / 2
    n = 5 * middle * (1 - middle) / effect**2
    shift = (n / 2) ** 0.5 * abs(effect) / (middle * (1 - middle)) ** 0.5
    found = ShareTest(baseline=baseline, form="arcsine", wrong_way=False).power(n, effect, 0.05)
    assert found == pytest.approx(stats.norm.sf(1.959963984540054 - shift), rel=1e-9)
