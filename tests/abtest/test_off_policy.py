from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from nextcall.abtest.logged_actions import LoggedActions
from nextcall.abtest.means import ratio_arm
from nextcall.abtest.moments import Moments
from nextcall.abtest.off_policy import Method, bernstein_interval, evaluate_policy

REWARD = np.array([[0.1, 0.5, 0.3], [0.7, 0.2, 0.4]])  # by context and action
LOGGING = np.array([[0.6, 0.2, 0.2], [0.2, 0.5, 0.3]])
TARGET = np.array([[0.2, 0.6, 0.2], [0.5, 0.2, 0.3]])
TRUTH = float((REWARD * TARGET).sum(axis=1).mean())
METHODS: tuple[Method, ...] = get_args(Method)


def draw(n: int, rng: np.random.Generator, *, bias: float = 0.0) -> LoggedActions:
    """Log n rows of a world whose truth is known; predictions are off by a bias."""
    context = rng.integers(2, size=n)
    action = (rng.random(n)[:, None] > LOGGING[context].cumsum(axis=1)).sum(axis=1)
    return LoggedActions(
        action=action,
        reward=(rng.random(n) < REWARD[context, action]).astype(np.float64),
        propensity=LOGGING[context, action],
        target=TARGET[context],
        predicted=REWARD[context] + bias,
    )


def pieces(log: LoggedActions) -> tuple[NDArray[np.float64], ...]:
    rows = np.arange(len(log.reward))
    assert log.predicted is not None
    weight = log.target[rows, log.action] / log.propensity
    return weight, (log.target * log.predicted).sum(axis=1), log.predicted[rows, log.action]


def test_values_and_errors_are_those_of_the_textbook() -> None:
    log = draw(300, np.random.default_rng(0), bias=0.1)
    w, m, q = pieces(log)
    r, n = log.reward, len(log.reward)
    parts = {
        "ips": w * r,
        "dm": m,
        "dr": m + w * (r - q),
        "switch_dr": m + np.where(w <= 2, w, 0) * (r - q),
    }
    for method in METHODS:
        found = evaluate_policy(log, method=method, switch=2.0, alpha=0.1)
        if method in parts:
            each = parts[method]
            interval = stats.ttest_1samp(each, 0).confidence_interval(0.9)
            assert found.value == pytest.approx(each.mean())
            assert found.se == pytest.approx(each.std(ddof=1) / n**0.5)
            assert (found.ci_lower, found.ci_upper) == pytest.approx((interval.low, interval.high))
    snips, sndr = (evaluate_policy(log, method=name) for name in ("snips", "sndr"))
    arm = ratio_arm(Moments.of(np.column_stack([w * r, w])))
    assert (snips.value, snips.se) == pytest.approx((arm.estimate, arm.se))
    assert sndr.value == pytest.approx(m.mean() + (w * (r - q)).sum() / w.sum())


def test_the_error_of_a_self_normalised_value_is_that_of_fresh_logs() -> None:
    rng = np.random.default_rng(1)
    found = [evaluate_policy(draw(200, rng, bias=0.2), method="sndr") for _ in range(300)]
    spread = np.std([each.value for each in found])
    assert np.mean([each.se for each in found]) == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize("method", METHODS)
def test_intervals_hold_the_truth_as_often_as_they_say(method: Method) -> None:
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(200):
        found = evaluate_policy(draw(200, rng), method=method, switch=9.0)
        held += found.ci_lower <= TRUTH <= found.ci_upper
    assert abs(held / 200 - 0.95) < 4 * (0.95 * 0.05 / 200) ** 0.5


def test_doubly_robust_forgives_a_wrong_model_and_the_direct_method_does_not() -> None:
    rng = np.random.default_rng(3)
    log = draw(20_000, rng, bias=0.3)
    assert abs(evaluate_policy(log, method="dr").value - TRUTH) < 0.05
    direct = evaluate_policy(log, method="dm")
    assert direct.value == pytest.approx(TRUTH + 0.3, abs=0.02)
    assert "not the model's own error" in direct.warnings[0]


def test_a_good_model_makes_the_doubly_robust_interval_the_narrowest() -> None:
    log = draw(2_000, np.random.default_rng(4))
    se = {method: evaluate_policy(log, method=method).se for method in METHODS}
    assert se["dr"] < se["ips"]
    assert se["sndr"] < se["snips"]


def test_rows_of_one_user_count_as_one() -> None:
    log = draw(200, np.random.default_rng(5))
    assert log.predicted is not None
    twice = LoggedActions(
        action=np.repeat(log.action, 2),
        reward=np.repeat(log.reward, 2),
        propensity=np.repeat(log.propensity, 2),
        target=np.repeat(log.target, 2, axis=0),
        predicted=np.repeat(log.predicted, 2, axis=0),
        users=np.repeat(np.arange(200), 2),
    )
    for method in METHODS:
        once, again = evaluate_policy(log, method=method), evaluate_policy(twice, method=method)
        assert again.value == pytest.approx(once.value)
        assert again.se == pytest.approx(once.se)
        assert again.ci_lower == pytest.approx(once.ci_lower)


def test_clipping_is_told() -> None:
    log = draw(500, np.random.default_rng(6))
    w = pieces(log)[0]
    found = evaluate_policy(log, method="ips", clip=1.5)
    assert found.value == pytest.approx((np.minimum(w, 1.5) * log.reward).mean())
    assert found.overlap.changed_share == pytest.approx((w > 1.5).mean())
    assert "cut at 1.5: the value is biased" in found.warnings[-1]
    switched = evaluate_policy(log, method="switch_dr", switch=1.5)
    assert switched.overlap.changed_share == pytest.approx((w > 1.5).mean())
    assert "lean on the model alone" in switched.warnings[-1]
    assert evaluate_policy(log, method="switch_dr", switch=9.0).warnings == ()


def test_bounded_values_have_an_interval_that_holds_with_few_rows() -> None:
    rng = np.random.default_rng(7)
    bounded: tuple[Method, ...] = ("ips", "dm", "dr", "switch_dr")
    held = dict.fromkeys(bounded, 0)
    for _ in range(60):
        log = draw(20, rng)
        for method in held:
            found = evaluate_policy(
                log, method=method, bounds=(0.0, 1.0), weight_bound=3.0, switch=9.0
            )
            held[method] += found.ci_lower <= TRUTH <= found.ci_upper
    assert min(held.values()) >= 57


def test_the_bernstein_interval_is_maurer_and_pontils() -> None:
    values = np.random.default_rng(8).random(5_000)
    low, high = bernstein_interval(values, low=0.0, high=1.0, alpha=0.1)
    doubt = np.log(4 / 0.1)
    reach = np.sqrt(2 * values.var(ddof=1) * doubt / 5_000) + 7 * doubt / (3 * 4_999)
    assert (low, high) == pytest.approx((values.mean() - reach, values.mean() + reach))
    assert bernstein_interval([0.3], low=0.0, high=1.0) == (0.0, 1.0)
    assert bernstein_interval([0.3, 0.4], low=0.0, high=1.0) == (0.0, 1.0)


def test_a_log_without_overlap_or_with_one_row_says_so() -> None:
    nothing = LoggedActions(
        action=np.array([0, 0]),
        reward=np.array([1.0, 2.0]),
        propensity=np.array([0.5, 0.5]),
        target=np.array([[0.0, 1.0], [0.0, 1.0]]),
    )
    found = evaluate_policy(nothing, method="snips")
    assert np.isnan(found.value)
    assert found.warnings[0] == "The log holds no action that the policy would take."
    single = LoggedActions(
        action=np.array([0]),
        reward=np.array([1.0]),
        propensity=np.array([0.5]),
        target=np.array([[0.5, 0.5]]),
    )
    alone = evaluate_policy(single, method="ips")
    assert alone.value == 1.0
    assert (alone.ci_lower, alone.ci_upper) == (-np.inf, np.inf)
    assert "There is no error to be had" in alone.warnings[0]


def test_options_that_cannot_be_are_refused() -> None:
    log = draw(50, np.random.default_rng(9))
    with pytest.raises(ValueError, match="method must be one of"):
        evaluate_policy(log, method="magic")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="alpha must lie between 0 and 1"):
        evaluate_policy(log, alpha=2)
    with pytest.raises(ValueError, match="needs predicted rewards"):
        evaluate_policy(replace(log, predicted=None), method="dr")
    with pytest.raises(ValueError, match="clip must be above 0, got 0"):
        evaluate_policy(log, clip=0)
    with pytest.raises(ValueError, match="switch must be above 0"):
        evaluate_policy(log, switch=float("nan"))
    with pytest.raises(ValueError, match="weight_bound must bound the weights"):
        evaluate_policy(log, weight_bound=1.0)
    with pytest.raises(ValueError, match="bounds must rise"):
        evaluate_policy(log, bounds=(1.0, 0.0), clip=3)
    with pytest.raises(ValueError, match="bounds need independent rows"):
        evaluate_policy(log, method="snips", bounds=(0.0, 1.0), clip=3)
    with pytest.raises(ValueError, match="bounds need independent rows"):
        evaluate_policy(replace(log, users=np.arange(50)), bounds=(0.0, 1.0), clip=3)
    with pytest.raises(ValueError, match="bounds need a bound of the weights too"):
        evaluate_policy(log, method="ips", bounds=(0.0, 1.0))
    with pytest.raises(ValueError, match="reward must lie within bounds"):
        evaluate_policy(log, method="ips", bounds=(0.0, 0.5), clip=3)
    with pytest.raises(ValueError, match="predicted must lie within bounds"):
        evaluate_policy(log, bounds=(0.2, 1.0), clip=3)
    with pytest.raises(ValueError, match=r"values must lie in \[0.0, 1.0\]"):
        bernstein_interval([2.0], low=0.0, high=1.0)
    with pytest.raises(ValueError, match="values must have one dimension"):
        bernstein_interval([], low=0.0, high=1.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": np.ones(50)}, r"target must have shape \(n, n_actions\)"),
        ({"target": np.full((50, 3), 0.5)}, "target must hold chances that sum to 1"),
        ({"target": np.tile([-0.5, 1.5, 0.0], (50, 1))}, "target must hold chances"),
        ({"target": np.full((50, 3), np.nan)}, "target must be finite"),
        ({"action": np.full(50, 3)}, "action must be a whole number from 0 to 2"),
        ({"action": np.full(50, 0.5)}, "action must be a whole number from 0 to 2"),
        ({"action": np.zeros(49)}, r"action must have shape \(50,\), got \(49,\)"),
        ({"propensity": np.zeros(50)}, "propensity must lie between 1e-150 and 1, got 0.0 to 0.0"),
        ({"propensity": np.full(50, 1.1)}, "propensity must lie between 1e-150 and 1"),
        ({"reward": np.full(50, np.inf)}, "reward must be finite"),
        ({"predicted": np.zeros((50, 2))}, r"predicted must have shape \(50, 3\)"),
        ({"users": np.arange(49)}, r"users must have shape \(50,\)"),
    ],
)
def test_logs_that_cannot_be_are_refused(
    changes: dict[str, NDArray[np.float64]], message: str
) -> None:
    log = draw(50, np.random.default_rng(10))
    with pytest.raises(ValueError, match=message):
        replace(log, **changes)  # type: ignore[arg-type]


def test_few_large_weighted_rewards_are_told_and_do_miss() -> None:
    """One action in fifty is nearly all that the other policy takes: a click there weighs 45."""
    rng = np.random.default_rng(3)
    held, told, runs, rows = 0, 0, 200, 400
    for _ in range(runs):
        action = (rng.random(rows) < 0.02).astype(int)
        log = LoggedActions(
            action=action,
            reward=(rng.random(rows) < 0.3).astype(float),
            propensity=np.where(action == 1, 0.02, 0.98),
            target=np.tile([0.1, 0.9], (rows, 1)),
        )
        found = evaluate_policy(log, method="ips")
        held += found.ci_lower <= 0.3 <= found.ci_upper
        told += any("Weighted rewards are skewed" in text for text in found.warnings)
    assert held / runs < 0.92
    assert told / runs > 0.85  # else no such click was seen
    bounded = evaluate_policy(log, method="ips", bounds=(0.0, 1.0), weight_bound=45.0)
    assert not any("skewed" in text for text in bounded.warnings)
