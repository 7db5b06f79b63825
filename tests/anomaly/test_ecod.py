"""ECOD beside plain counting, scikit-learn's conventions and, where it is there, PyOD."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nextcall.anomaly.ecod import Ecod


def test_scores_are_those_of_pyod() -> None:
    pyod = pytest.importorskip("pyod.models.ecod", reason="PyOD is not installed")
    rows = np.random.default_rng(0).gamma(2.0, size=(400, 5)).round(1)  # with ties
    theirs = pyod.ECOD().fit(rows)
    np.testing.assert_allclose(-Ecod().fit(rows).score_samples(rows), theirs.decision_scores_)


@given(
    st.lists(st.integers(-3, 3), min_size=1, max_size=30),
    st.lists(st.integers(-5, 5), min_size=1, max_size=10),
)
@settings(max_examples=60, deadline=None)
def test_contributions_are_counted_tails(known: list[int], asked: list[int]) -> None:
    detector = Ecod().fit(np.array(known)[:, None])
    told = detector.contributions(np.array(asked)[:, None])[:, 0]
    for number, rarity in zip(asked, told, strict=True):
        below = sum(other <= number for other in known)
        above = sum(other >= number for other in known)
        share = max(min(below, above) / len(known), 1 / (len(known) + 1))
        assert rarity == pytest.approx(-np.log(share))
    np.testing.assert_allclose(detector.score_samples(np.array(asked)[:, None]), -told)


def test_planted_outliers_are_found_and_explained() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(1300, 4))
    columns = rng.integers(0, 4, 30)
    rows[np.arange(30), columns] += 8
    detector = Ecod(rate=0.03).fit(rows[300:])
    scores = detector.score_samples(rows[:300])
    assert roc_auc_score(np.arange(300) < 30, -scores) > 0.95
    assert (detector.contributions(rows[:30]).argmax(axis=1) == columns).mean() > 0.95
    told = detector.predict(rows[300:])
    assert (told == -1).mean() == pytest.approx(0.03, abs=0.002)
    np.testing.assert_array_equal(told == -1, detector.decision_function(rows[300:]) < 0)


def test_works_in_a_pipeline_and_does_not_know_units() -> None:
    rows = np.random.default_rng(2).normal(size=(200, 3))
    piped = make_pipeline(StandardScaler(), Ecod()).fit(rows)
    np.testing.assert_allclose(piped.score_samples(rows), Ecod().fit(rows).score_samples(rows))
    assert Ecod().fit_predict(rows).shape == (200,)
    assert Ecod(rate=0.2).get_params() == {"rate": 0.2}


def test_what_is_wrong_is_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("rate must be above 0 and at most 0.5, got 0.")):
        Ecod(rate=0.0).fit([[1.0], [2.0]])
    with pytest.raises(ValueError, match="NaN"):
        Ecod().fit([[np.nan], [1.0]])
    with pytest.raises(ValueError, match="2 features"):
        Ecod().fit([[1.0], [2.0]]).score_samples([[1.0, 2.0]])
    with pytest.raises(ValueError, match="not fitted"):
        Ecod().score_samples([[1.0]])
    constant = Ecod().fit([[4.0]] * 10)
    assert constant.score_samples([[4.0]]).tolist() == [0.0]
    assert constant.predict([[4.0], [5.0]]).tolist() == [1, -1]
