"""Simulated tests have the truth that was asked for."""

import numpy as np
import pytest

from nextcall.abtest import simulate
from nextcall.abtest.moments import Moments
from nextcall.abtest.simulate import Truth, simulate_tests

_TRUTHS = {
    "normal": Truth(baseline=3.0, effects=(0.5, -0.5), sd=2.0),
    "covariate": Truth(baseline=3.0, effects=(0.5, 0.0), sd=2.0, rho=0.7),
    "share": Truth(metric="proportion", baseline=0.3, effects=(0.05, 0.1)),
    "lognormal": Truth(baseline=3.0, effects=(0.5, 0.0), sd=2.0, law="lognormal"),
    "skewed covariate": Truth(baseline=3.0, effects=(0.5, 0.0), sd=2.0, law="lognormal", rho=0.5),
    "pareto": Truth(baseline=3.0, effects=(0.5, 0.0), sd=0.5, law="pareto"),
    "ratio": Truth(metric="ratio", baseline=0.5, effects=(0.1, 0.0), sd=0.7),
}


@pytest.mark.parametrize("truth", _TRUTHS.values(), ids=_TRUTHS)
def test_means_are_the_true_ones(truth: Truth) -> None:
    runs = simulate_tests(
        truth, [[20, 40, 20], [200, 300, 60]], runs=2000, rng=np.random.default_rng(1)
    )
    assert runs.mean.shape == (2000, 2, 3, truth.n_columns)
    for look in (0, 1):
        for arm, value in enumerate(truth.values):
            mean = runs.mean[:, look, arm].mean(axis=0)
            found = mean[0] / mean[1] if truth.metric == "ratio" else mean[0]
            spread = 0.5 if truth.metric == "proportion" else truth.sd
            error = spread / np.sqrt(2000 * runs.n[look, arm])
            assert found == pytest.approx(value, abs=4 * error)


@pytest.mark.parametrize("truth", _TRUTHS.values(), ids=_TRUTHS)
def test_products_are_the_means_true_spread(truth: Truth) -> None:
    runs = simulate_tests(
        truth, [[30, 30, 30], [100, 100, 100]], runs=4000, rng=np.random.default_rng(2)
    )
    if truth.law == "pareto":
        return  # its fourth moment is infinite: no variance settles
    within = (runs.products[:, -1, 1] / 99).mean(axis=0)
    between = np.cov(runs.mean[:, -1, 1].T).reshape(within.shape) * 100
    assert within == pytest.approx(between, rel=0.12, abs=0.02)
    if truth.rho is not None:
        assert within[0, 1] / np.sqrt(within[0, 0] * within[1, 1]) == pytest.approx(
            truth.rho, abs=0.03
        )
    if truth.metric == "mean":
        assert within[0, 0] == pytest.approx(truth.sd**2, rel=0.05)
    if truth.metric == "ratio":
        weights = np.array([1.0, -truth.values[1]]) / 5.0
        assert weights @ within @ weights == pytest.approx(truth.sd**2, rel=0.05)


def test_moments_of_normal_values_drawn_from_their_law_are_those_of_units(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    truth, sizes = Truth(rho=0.6), [[4, 4], [9, 7]]
    direct = simulate_tests(truth, sizes, runs=40_000, rng=np.random.default_rng(3))
    monkeypatch.setattr(simulate, "_normal", lambda *_: pytest.fail("units are to be drawn"))
    monkeypatch.setattr(simulate, "_CELLS", 30_000)
    slow = Truth(rho=0.6, law="lognormal")
    monkeypatch.setattr(simulate, "_DRAWS", {"lognormal": simulate._bell})
    drawn = simulate_tests(slow, sizes, runs=40_000, rng=np.random.default_rng(4))
    for one, other in ((direct.products, drawn.products), (direct.mean, drawn.mean)):
        for power in (1, 2):
            fair = np.sqrt(((one**power).var(axis=0) + (other**power).var(axis=0)) / 40_000)
            off = np.abs((one**power).mean(axis=0) - (other**power).mean(axis=0))
            assert (off <= 4.5 * fair + 1e-12).all()


def test_looks_merge_as_moments_do(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[np.ndarray] = []
    draw = simulate._units

    def keep(*given: object) -> np.ndarray:
        units = draw(*given)  # type: ignore[arg-type]  # what it was called with
        kept.append(units.copy())
        return units

    monkeypatch.setattr(simulate, "_units", keep)
    truth = Truth(law="lognormal", rho=0.5)
    runs = simulate_tests(truth, [[5, 6], [11, 20]], runs=3, rng=np.random.default_rng(5))
    for run in range(3):
        whole = Moments.of(np.concatenate([kept[0][:, run].T, kept[1][:, run].T]))
        assert runs.mean[run, 1, 0] == pytest.approx(whole.mean)
        assert runs.products[run, 1, 0] == pytest.approx(whole.products)


def test_single_units_do_not_vary() -> None:
    for truth in (Truth(rho=0.5), Truth(law="pareto")):
        runs = simulate_tests(truth, [[1, 1]], runs=5, rng=np.random.default_rng(0))
        assert not runs.products.any()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"metric": "median"}, "metric must be one of"),
        ({"law": "cauchy"}, "law must be one of"),
        ({"sd": 0.0}, "sd must be above 0"),
        ({"effects": ()}, "baseline and effects must be finite"),
        ({"baseline": float("nan")}, "baseline and effects must be finite"),
        ({"metric": "proportion", "baseline": 0.9, "effects": (0.2,)}, "shares must lie between"),
        ({"rho": 1.0}, "rho must lie between -1 and 1"),
        ({"metric": "ratio", "rho": 0.5}, "rho must lie between -1 and 1, of a mean only"),
    ],
)
def test_a_truth_that_cannot_be_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Truth(**options)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("n", "runs", "said"),
    [
        ([[5, 5, 5]], 10, "n must hold 2 variants at each look"),
        ([5, 5], 10, "n must hold 2 variants"),
        ([[5, 5], [9, 5]], 10, "n must rise from above 0"),
        ([[5, 5]], 0, "runs must be at least 1"),
    ],
)
def test_sizes_that_cannot_be_are_refused(n: list[list[int]], runs: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        simulate_tests(Truth(), n, runs=runs, rng=np.random.default_rng(0))
