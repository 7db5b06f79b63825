"""The estimators by scikit-learn's own checks, and beside the detectors that they hold."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from nextcall.anomaly.causal_outliers import CausalOutliers
from nextcall.anomaly.detector import StreamDetector
from nextcall.anomaly.estimators import (
    HampelOutliers,
    NamedOutliers,
    SeasonalOutliers,
    SpotOutliers,
    StreamOutliers,
)
from nextcall.anomaly.hampel import HampelDetector
from nextcall.anomaly.monitor import AnomalyMonitor
from nextcall.anomaly.seasonal import SeasonalDetector
from nextcall.anomaly.seasons import DAY, Season
from nextcall.anomaly.spot import SpotDetector

# Of 300 Gaussian rows, which scikit-learn's checks want to have outliers.
EAGER: dict[str, Any] = {
    "hampel": HampelOutliers(limit=2.0),
    "spot": SpotOutliers(risk=0.02, warm_up=50),
    "dspot": SpotOutliers(risk=0.02, warm_up=50, depth=20),
    "seasonal": SeasonalOutliers(seasons=(Season(period=120.0, slots=2),), limit=2.0),
    "stream": StreamOutliers(rate=0.05),
    "named": NamedOutliers(rate=0.05),
}
CAUSAL = "a row is scored by the rows before it"


def column(n: int = 1500, seed: int = 0) -> NDArray[np.float64]:
    values = np.random.default_rng(seed).normal(100, 5, n)
    values[1400] = 200
    return values


@pytest.mark.parametrize("name", EAGER)
def test_it_keeps_the_conventions_of_scikit_learn_but_for_the_order_of_rows(name: str) -> None:
    expected = {
        "check_methods_sample_order_invariance": CAUSAL,
        "check_methods_subset_invariance": CAUSAL,
    }
    found = check_estimator(EAGER[name], expected_failed_checks=expected, on_skip=None)
    assert len(found) > 40
    assert {check["status"] for check in found} <= {"passed", "skipped", "xfail"}


@pytest.mark.parametrize("name", EAGER)
def test_rows_go_on_where_the_fitted_ones_end(name: str) -> None:
    values = column()
    whole = clone(EAGER[name]).fit(values[:, None])
    half = clone(EAGER[name]).fit(values[:1000, None])
    np.testing.assert_array_equal(half.training_scores_, whole.training_scores_[:1000])
    first, again = half.score_samples(values[1000:, None]), half.score_samples(values[1000:, None])
    np.testing.assert_array_equal(first, whole.training_scores_[1000:])
    np.testing.assert_array_equal(first, again)
    later = pickle.loads(pickle.dumps(half)).score_samples(values[1000:, None])  # noqa: S301  # own
    np.testing.assert_array_equal(first, later)
    assert first.max() <= 0
    predicted = half.predict(values[1000:, None])
    np.testing.assert_array_equal(predicted == -1, first < half.offset_)
    np.testing.assert_array_equal(half.decision_function(values[1000:, None]), first - half.offset_)


def test_scores_are_those_of_the_detectors_with_the_sign_turned() -> None:
    values = column()
    frame = pd.DataFrame({"metric": "m", "value": values})
    scores: dict[str, NDArray[np.float64]] = {
        "hampel": HampelDetector().score(values),
        "spot": SpotDetector(risk=0.02, warm_up=50).score(values),
        "dspot": SpotDetector(risk=0.02, warm_up=50, depth=20).score(values),
        "seasonal": SeasonalDetector(seasons=EAGER["seasonal"].seasons).score(
            values, 60.0 * np.arange(1500)
        ),
        "stream": StreamDetector(rate=0.05).score(values)["risk"].to_numpy(),
        "named": AnomalyMonitor(rate=0.05).check_frame(frame)["risk_score"].to_numpy(),
    }
    for name, expected in scores.items():
        found = clone(EAGER[name]).fit(values[:, None]).training_scores_
        np.testing.assert_array_equal(found, -expected)


@pytest.mark.parametrize("name", EAGER)
def test_a_row_is_as_strange_as_its_strangest_column_and_nan_is_not(name: str) -> None:
    one, other = column(seed=1), column(seed=2)
    other[1450] = 300
    both = clone(EAGER[name]).fit(np.c_[one, other]).training_scores_
    single = [clone(EAGER[name]).fit(part[:, None]).training_scores_ for part in (one, other)]
    np.testing.assert_array_equal(both, np.minimum(*single))
    missing = clone(EAGER[name]).fit(one[:, None])
    assert missing.score_samples([[np.nan], [one[0]]])[0] == 0
    with pytest.raises(ValueError, match="infinity"):
        missing.predict([[np.inf]])


def test_it_works_in_a_pipeline_and_a_grid() -> None:
    values = column()[:, None]
    pipeline = make_pipeline(StandardScaler(), HampelOutliers())
    pipeline.set_params(hampeloutliers__window=31)
    pipeline.fit(values[:1000])
    assert pipeline.predict(values[1000:])[400] == -1
    assert pipeline.score_samples(values[1000:]).argmin() == 400
    for options in ParameterGrid({"window": [5, 61], "limit": [2.0, 4.0]}):
        assert clone(HampelOutliers()).set_params(**options).get_params() == options


def test_times_are_those_of_the_index_or_evenly_spaced() -> None:
    hours = np.arange(24 * 20)
    values = (100.0 + 10 * (hours % 24) + hours % 5)[:, None]
    index = pd.date_range("1970-01-01", periods=len(hours), freq="h", tz="Asia/Tokyo")
    frame = pd.DataFrame(values, index=index)
    estimator = SeasonalOutliers(seasons=(DAY,), spacing=3600.0)
    spaced = clone(estimator).fit(values)
    indexed = clone(estimator).fit(frame)
    np.testing.assert_array_equal(spaced.training_scores_, indexed.training_scores_)
    odd = frame[:1].set_axis(index[-1:] + pd.Timedelta(hours=13))
    assert spaced.predict(values[:1])[0] == 1
    assert indexed.predict(odd)[0] == -1  # midnight's value at noon


def test_a_bad_option_is_refused_by_fit() -> None:
    with pytest.raises(ValueError, match="window must be at least 5"):
        HampelOutliers(window=1).fit([[1.0]])
    with pytest.raises(NotImplementedError):
        CausalOutliers().fit([[1.0]])
    with pytest.raises(NotImplementedError):
        CausalOutliers()._detector()
