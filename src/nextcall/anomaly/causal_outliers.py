"""What the detectors share as scikit-learn's outlier estimators.

They follow its convention: ``score_samples`` is *lower* for stranger rows, the opposite sign of the
detectors' own scores; ``decision_function`` is that less ``offset_``; ``predict`` is -1 where it is
below 0, for an outlier, and 1 elsewhere.

Rows are in the order of time. ``fit`` learns them as a stream, and ``training_scores_`` says how
strange each was when it came. The other methods, ``fit_predict`` among them, score rows as those
that follow the fitted ones, each by what came before it, and learn from them for the rows after it
in the same call only: the estimator does not change, and the same call gives the same answer. Two
conventions cannot hold: a score depends on the order of the rows and on those before it.

Every column is a series of its own, and a row is as strange as its strangest column. NaN is a
missing value and no outlier; infinities are refused.
"""
# ruff: noqa: N803, ARG002  # the names of scikit-learn's arguments, used or not

from copy import deepcopy
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data


class CausalOutliers(OutlierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """What the estimators share; each says how a detector is made, asked and where it alarms."""

    def fit(self, X: Any, y: object = None) -> Self:
        """Learn rows in their order, each column by itself.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_columns)
        y : ignored
        """
        index = _index(X)
        values = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        self.offset_ = self._offset()
        self.detectors_ = [self._detector() for _ in range(values.shape[1])]
        self.n_rows_ = len(values)
        self.training_scores_ = 0.0 - self._strangeness(self.detectors_, values, index, 0)
        return self

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Score rows that follow the fitted ones; lower is stranger, 0 is as usual.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_columns)

        Returns
        -------
        array of shape (n_samples,)
            Up to 0.
        """
        check_is_fitted(self)
        index = _index(X)
        values = validate_data(
            self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan"
        )
        return 0.0 - self._strangeness(deepcopy(self.detectors_), values, index, self.n_rows_)

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Give ``score_samples`` less ``offset_``: below 0 for outliers."""
        scores: NDArray[np.float64] = self.score_samples(X) - self.offset_
        return scores

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Give -1 for outliers among rows that follow the fitted ones, and 1 for the others."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _strangeness(
        self,
        detectors: list[Any],
        values: NDArray[np.float64],
        index: pd.DatetimeIndex | None,
        before: int,
    ) -> NDArray[np.float64]:
        times = index if index is not None else before + np.arange(len(values))
        columns = [
            self._ask(detector, np.ascontiguousarray(column), times)
            for detector, column in zip(detectors, values.T, strict=True)
        ]
        strangest: NDArray[np.float64] = np.max(columns, axis=0)
        return strangest

    def _detector(self) -> Any:
        raise NotImplementedError

    def _offset(self) -> float:
        raise NotImplementedError

    def _ask(self, detector: Any, column: NDArray[np.float64], times: Any) -> NDArray[np.float64]:
        return np.asarray(detector.score(column))


def _index(rows: Any) -> pd.DatetimeIndex | None:
    """Give the times of a frame's rows, where it has any."""
    index = getattr(rows, "index", None)
    return index if isinstance(index, pd.DatetimeIndex) else None
