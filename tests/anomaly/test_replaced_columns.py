"""Contributions under scikit-learn's isolation forest and under a sum, whose parts are known."""

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from nextcall.anomaly.ecod import Ecod
from nextcall.anomaly.replaced_columns import replaced_contributions


def test_planted_columns_contribute_most_under_an_isolation_forest() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 5))
    columns = rng.integers(0, 5, 40)
    odd = rng.normal(size=(40, 5))
    odd[np.arange(40), columns] += 9
    forest = IsolationForest(random_state=0).fit(rows)
    told = replaced_contributions(forest, odd, usual=np.median(rows, axis=0))
    assert (told.argmax(axis=1) == columns).mean() > 0.9


def test_under_a_sum_they_are_the_differences_of_its_parts() -> None:
    rows = np.random.default_rng(1).normal(size=(300, 3))
    detector = Ecod().fit(rows)
    usual = np.median(rows, axis=0)
    told = replaced_contributions(detector, rows[:20], usual=usual)
    parts = detector.contributions(rows[:20]) - detector.contributions(usual[None])
    np.testing.assert_allclose(told, parts, atol=1e-9)
    assert replaced_contributions(detector, np.empty((0, 3)), usual=usual).shape == (0, 3)


def test_shapes_that_do_not_fit_are_refused() -> None:
    detector = Ecod().fit(np.eye(3))
    with pytest.raises(ValueError, match=r"got shapes \(3, 3\) and \(2,\)"):
        replaced_contributions(detector, np.eye(3), usual=[0.0, 0.0])
    with pytest.raises(ValueError, match=r"got shapes \(3,\) and \(3,\)"):
        replaced_contributions(detector, [0.0, 1.0, 2.0], usual=[0.0, 0.0, 0.0])
