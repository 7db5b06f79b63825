"""The detectors as scikit-learn's outlier estimators, for use in its pipelines.

`nextcall.anomaly.causal_outliers` says what they share: ``score_samples`` is *lower* for stranger
rows, the opposite sign of the detectors' scores, and rows count in the order of time.
"""

from math import log10, nextafter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextcall.anomaly.causal_outliers import CausalOutliers
from nextcall.anomaly.detector import ALARM, StreamDetector
from nextcall.anomaly.hampel import HampelDetector
from nextcall.anomaly.monitor import AnomalyMonitor
from nextcall.anomaly.seasonal import SeasonalDetector
from nextcall.anomaly.seasons import WEEK, Season
from nextcall.anomaly.spot import Side, SpotDetector

_ALARM_OFFSET: Final = nextafter(-ALARM, 0.0)  # a risk of 0.5 is an alarm


class HampelOutliers(CausalOutliers):
    """Outliers by Hampel's rule: `HampelDetector` as an estimator.

    Parameters
    ----------
    window : int
        Values that are remembered, at least 5.
    limit : float
        Scaled median deviations beyond which a value is an outlier.

    Examples
    --------
    >>> rows = [[20.0 + place % 3] for place in range(100)]
    >>> HampelOutliers().fit(rows).predict([[21.0], [90.0]]).tolist()
    [1, -1]
    """

    def __init__(self, *, window: int = 61, limit: float = 3.0) -> None:
        self.window = window
        self.limit = limit

    def _detector(self) -> HampelDetector:
        return HampelDetector(window=self.window)

    def _offset(self) -> float:
        return -float(self.limit)


class SpotOutliers(CausalOutliers):
    """Outliers by the law of extremes: `SpotDetector` as an estimator.

    Parameters
    ----------
    risk : float
        Probability of an outlier where nothing is wrong, above 0, at most 0.02.
    sides : {"both", "upper", "lower"}
        Where values are strange.
    depth : int
        Values in the local mean; 0 for SPOT, more for DSPOT.
    warm_up : int
        Values before the first outlier, at least 50; `depth` more come before.

    Examples
    --------
    >>> rows = np.random.default_rng(0).exponential(size=(2000, 1))
    >>> SpotOutliers(sides="upper").fit(rows).predict([[1.0], [20.0]]).tolist()
    [1, -1]
    """

    def __init__(
        self, *, risk: float = 1e-3, sides: Side = "both", depth: int = 0, warm_up: int = 1000
    ) -> None:
        self.risk = risk
        self.sides = sides
        self.depth = depth
        self.warm_up = warm_up

    def _detector(self) -> SpotDetector:
        return SpotDetector(
            risk=self.risk, sides=self.sides, depth=self.depth, warm_up=self.warm_up
        )

    def _offset(self) -> float:
        return log10(self.risk)


class SeasonalOutliers(CausalOutliers):
    """Outliers from what their time lets expect: `SeasonalDetector` as an estimator.

    The times are the index of a frame where that holds times with a zone. Rows without are
    `spacing` apart, the first at midnight of Thursday, 1 January 1970.

    Parameters
    ----------
    seasons : tuple of Season
        At least one, the coarse first.
    visits : int
        How often a slot must have been passed before it scores, at least 1.
    spacing : float
        Seconds between two rows without times.
    limit : float
        Standard deviations beyond which a value is an outlier.

    Examples
    --------
    >>> from nextcall.anomaly.seasons import DAY
    >>> rows = [[100.0 + 10 * (hour % 24) + hour % 5] for hour in range(24 * 14)]
    >>> estimator = SeasonalOutliers(seasons=(DAY,), spacing=3600.0).fit(rows)
    >>> estimator.predict([[100.0], [300.0], [120.0]]).tolist()
    [1, -1, 1]
    """

    def __init__(
        self,
        *,
        seasons: tuple[Season, ...] = (WEEK,),
        visits: int = 2,
        spacing: float = 60.0,
        limit: float = 4.0,
    ) -> None:
        self.seasons = seasons
        self.visits = visits
        self.spacing = spacing
        self.limit = limit

    def _detector(self) -> SeasonalDetector:
        return SeasonalDetector(seasons=self.seasons, visits=self.visits)

    def _offset(self) -> float:
        return -float(self.limit)

    def _ask(self, detector: Any, column: NDArray[np.float64], times: Any) -> NDArray[np.float64]:
        known = isinstance(times, pd.DatetimeIndex)
        return np.asarray(detector.score(column, times if known else self.spacing * times))


class StreamOutliers(CausalOutliers):
    """Outliers by novelty of value, shape and level: `StreamDetector` as an estimator.

    Parameters
    ----------
    rate : float
        Outliers per row where nothing is wrong, in (0, 0.05].

    Examples
    --------
    >>> rows = [[5.0 + place % 7] for place in range(500)]
    >>> StreamOutliers().fit(rows).predict([[6.0], [90.0]]).tolist()
    [1, -1]
    """

    def __init__(self, *, rate: float = 1 / 600) -> None:
        self.rate = rate

    def _detector(self) -> StreamDetector:
        return StreamDetector(rate=self.rate)

    def _offset(self) -> float:
        return _ALARM_OFFSET

    def _ask(
        self,
        detector: Any,
        column: NDArray[np.float64],
        times: Any,  # noqa: ARG002  # this detector looks at none
    ) -> NDArray[np.float64]:
        return np.asarray(detector.score(column)["risk"])


class NamedOutliers(CausalOutliers):
    """Outliers by the five named detectors together: `AnomalyMonitor` as an estimator.

    Parameters
    ----------
    rate : float
        Outliers per row where nothing is wrong, above 0 and at most 0.05.
    least_change : float
        Difference below which nothing is an anomaly; at least 0.

    Examples
    --------
    >>> rows = [[20.0 + place % 3] for place in range(300)]
    >>> NamedOutliers(least_change=1.0).fit(rows).predict([[21.0], [90.0]]).tolist()
    [1, -1]
    """

    def __init__(self, *, rate: float = 1 / 600, least_change: float = 0.0) -> None:
        self.rate = rate
        self.least_change = least_change

    def _detector(self) -> "_PickledMonitor":
        return _PickledMonitor(AnomalyMonitor(rate=self.rate, least_change=self.least_change))

    def _offset(self) -> float:
        return _ALARM_OFFSET


class _PickledMonitor:
    """A monitor of one series, which is copied and pickled as the file that it saves."""

    def __init__(self, monitor: AnomalyMonitor) -> None:
        self._monitor = monitor

    def __reduce__(self) -> tuple[Any, tuple[bytes]]:
        with TemporaryDirectory() as folder:
            path = Path(folder, "state.npz")
            self._monitor.save(path)
            return _restored, (path.read_bytes(),)

    def score(self, column: NDArray[np.float64]) -> NDArray[np.float64]:
        frame = pd.DataFrame({"metric": "value", "value": column})
        return self._monitor.check_frame(frame)["risk_score"].to_numpy()


def _restored(content: bytes) -> _PickledMonitor:
    with TemporaryDirectory() as folder:
        path = Path(folder, "state.npz")
        path.write_bytes(content)
        return _PickledMonitor(AnomalyMonitor.load(path))
