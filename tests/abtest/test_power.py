"""Solutions beside statsmodels' and beside their own power."""

from math import inf, nan

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.stats.power import TTestIndPower

from nextcall.abtest.effect import Alternative
from nextcall.abtest.planned_tests import MeanTest, PlannedTest, ShareTest
from nextcall.abtest.power import solve


@pytest.mark.parametrize(("alpha", "power", "ratio"), [(0.05, 0.8, 1.0), (0.01, 0.95, 0.25)])
@pytest.mark.parametrize("effect", [0.05, 0.8])
def test_sizes_effects_and_alphas_are_those_of_statsmodels(
    alpha: float, power: float, ratio: float, effect: float
) -> None:
    test, peer = MeanTest(sd=1.0, ratio=ratio), TTestIndPower()
    n = peer.solve_power(effect, None, alpha, power, ratio)
    assert solve(test, effect=effect, power=power, alpha=alpha).n == pytest.approx(n, rel=1e-6)
    assert solve(test, n=n, power=power, alpha=alpha).effect == pytest.approx(effect, rel=1e-6)
    found = solve(test, n=n, effect=effect, power=power, alpha=None).alpha
    assert found == pytest.approx(alpha, rel=1e-5)
    assert solve(test, n=n, effect=effect, alpha=alpha).power == pytest.approx(power, rel=1e-6)


tests: st.SearchStrategy[PlannedTest] = st.one_of(
    st.builds(
        MeanTest,
        sd=st.floats(1e-6, 1e6),
        ratio=st.floats(0.001, 1000),
        alternative=st.sampled_from(["two-sided", "greater", "less"]),
        normal=st.booleans(),
    ),
    st.builds(
        ShareTest,
        baseline=st.floats(0.001, 0.999),
        ratio=st.floats(0.01, 100),
        alternative=st.sampled_from(["two-sided", "greater", "less"]),
        form=st.sampled_from(["pooled", "unpooled", "arcsine"]),
    ),
)


@settings(max_examples=40)
@given(
    test=tests,
    n=st.floats(1e4, 1e7),
    power=st.floats(0.5, 0.999),
    alpha=st.floats(1e-6, 0.3),
)
def test_each_answer_has_the_power_that_was_asked(
    test: PlannedTest, n: float, power: float, alpha: float
) -> None:
    way = -1 if test.alternative == "less" else 1
    assume(test.largest == inf or test.power(n, way * test.largest, alpha) > power)
    effect = solve(test, n=n, power=power, alpha=alpha).effect
    assert (effect < 0) == (test.alternative == "less")
    assert test.power(n, effect, alpha) == pytest.approx(power, rel=1e-6)
    assert solve(test, effect=effect, power=power, alpha=alpha).n == pytest.approx(n, rel=1e-5)
    again = solve(test, n=n, effect=effect, power=power, alpha=None).alpha
    assert again == pytest.approx(alpha, rel=1e-4)


def test_margins_and_directions() -> None:
    above = MeanTest(sd=1.0, alternative="greater", null=-0.5)
    needed = solve(above, effect=0.0, power=0.9).n
    assert needed == pytest.approx(
        solve(MeanTest(sd=1.0, alternative="greater"), effect=0.5, power=0.9).n
    )
    assert solve(above, n=needed, power=0.9).effect == pytest.approx(0.0, abs=1e-9)
    assert solve(MeanTest(sd=1.0, margin=0.5), effect=0.0, power=0.9).n > needed


def test_an_effect_that_is_seen_at_once_needs_the_least_units() -> None:
    assert solve(MeanTest(sd=1.0, ratio=0.5), effect=1e9, power=0.8).n == pytest.approx(4)
    assert solve(MeanTest(sd=1.0), effect=1e9, power=0.8).n == 2


@pytest.mark.parametrize(
    ("given_values", "said"),
    [
        ({"n": 10}, "exactly one of n, effect, power, alpha must be None"),
        ({"n": 10, "effect": 1.0, "power": 0.5}, "exactly one"),
        ({"n": 1, "effect": 1.0}, "n must be finite and at least 2, got 1."),
        ({"n": inf, "effect": 1.0}, "n must be finite"),
        ({"n": 10, "effect": nan}, "effect must be finite, got nan."),
        ({"n": 10, "power": 1.0}, "power must lie between 0 and 1, got 1.0."),
        ({"n": 10, "effect": 1.0, "alpha": 2.0}, "alpha must lie between 0 and 1, got 2.0."),
        ({"effect": 0.0, "power": 0.8}, "power must be one that some n reaches"),
        ({"n": 10, "power": 0.01}, "power must be above alpha"),
        ({"n": 10, "effect": -90.0, "power": 0.8, "alpha": None}, "some alpha"),
    ],
)
def test_what_cannot_be_asked_is_refused(given_values: dict[str, float], said: str) -> None:
    way: Alternative = "greater" if "alpha" in given_values else "two-sided"
    with pytest.raises(ValueError, match=said):
        solve(MeanTest(sd=1.0, alternative=way), **given_values)


def test_what_no_effect_reaches_is_refused() -> None:
    with pytest.raises(ValueError, match=r"some effect reaches, got 0\.8 at n 10"):
        solve(ShareTest(baseline=0.95), n=10, power=0.8)
    with pytest.raises(ValueError, match="effect must be given"):
        solve(MeanTest(sd=1.0, margin=0.5), n=10, power=0.8)


@pytest.mark.parametrize("scale", [1e-200, 1e-100, 1e-13, 1.0, 1e100])
def test_the_smallest_effect_goes_with_the_scale(scale: float) -> None:
    plain = solve(MeanTest(sd=3.0), n=500, power=0.8).effect
    found = solve(MeanTest(sd=3.0 * scale), n=500, power=0.8).effect
    assert found == pytest.approx(plain * scale, rel=1e-12)
