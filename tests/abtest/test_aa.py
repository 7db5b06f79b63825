"""Splits of history beside the room's own analysis of each split."""

import numpy as np
import pytest

from nextcall.abtest import aa
from nextcall.abtest.aa import check_aa
from nextcall.abtest.effect import difference
from nextcall.abtest.means import mean_arm, ratio_arm
from nextcall.abtest.moments import Moments


@pytest.mark.parametrize("offset", [0.0, 1e8])
@pytest.mark.parametrize("columns", [1, 2])
def test_pvalues_are_those_of_the_analysis(columns: int, offset: float) -> None:
    rng = np.random.default_rng(3)
    units = rng.poisson(5, size=(60, columns)).astype(np.float64) + (offset + 1)
    masks = aa._masks(np.random.default_rng(4), 7, 60, 25)
    assert masks.sum(axis=1).tolist() == [25.0] * 7
    arm_of = mean_arm if columns == 1 else ratio_arm
    found = aa._pvalues(units, masks)
    for mask, pvalue in zip(masks, found, strict=True):
        arms = [arm_of(Moments.of(units[mask == side])) for side in (0, 1)]
        assert pvalue == pytest.approx(difference(*arms).pvalue, rel=1e-5)


def test_a_good_metric_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aa, "_BLOCK", 100_000)
    rng = np.random.default_rng(5)
    found = check_aa(rng.normal(size=1000), rng=rng, splits=2000, treatment=0.3)
    assert found.ci_lower < found.alpha < found.ci_upper
    assert found.ks_pvalue > 0.001
    assert len(found.pvalues) == 2000


def test_a_few_heavy_units_fail() -> None:
    rng = np.random.default_rng(6)
    values = np.zeros(400)
    values[:3] = 1000.0
    found = check_aa(values, rng=rng, splits=1000, treatment=0.2)
    assert found.ks_pvalue < 1e-6


def test_where_nothing_varies_nothing_is_found() -> None:
    found = check_aa(np.ones(10), rng=np.random.default_rng(0), splits=5)
    assert (found.share, found.pvalues.tolist()) == (0.0, [1.0] * 5)
    none = np.column_stack([np.arange(10.0), np.zeros(10)])
    assert check_aa(none, rng=np.random.default_rng(0), splits=5).share == 0.0


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        (np.ones(3), {}, "values must be 4 units or more"),
        (np.ones((5, 3)), {}, "values must be 4 units or more"),
        (np.array([1.0, np.nan, 2.0, 3.0]), {}, "values must be finite, got nan"),
        (np.column_stack([np.ones(5), -np.ones(5)]), {}, "denominators must be at least 0"),
        (np.ones(5), {"splits": 0}, "splits must be at least 1"),
        (np.ones(5), {"treatment": 0.1}, "treatment must leave each arm 2 units"),
        (np.ones(5), {"treatment": 1.0}, "treatment must leave each arm 2 units"),
        (np.ones(5), {"alpha": 1.0}, "alpha must lie between 0 and 1"),
    ],
)
def test_what_cannot_be_split_is_refused(
    values: np.ndarray, options: dict[str, float], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        check_aa(values, rng=np.random.default_rng(0), **options)  # type: ignore[arg-type]
