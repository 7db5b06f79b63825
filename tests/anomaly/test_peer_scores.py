import io
import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from nextcall.anomaly import peer_scores
from nextcall.anomaly.peer_scores import (
    PLAIN,
    PUBLISHED,
    installed,
    libspot_tails,
    main,
    score_series,
)

VALUES = np.random.default_rng(0).normal(10, 2, 500)


def _slow_z(row: int) -> float:
    return abs(VALUES[row] - VALUES[:row].mean()) / VALUES[:row].std()  # type: ignore[no-any-return]


def _slow_hampel(row: int) -> float:
    window = pd.Series(VALUES[row - 60 : row])
    spread = 1.4826 * (window - window.median()).abs().median()
    return float(abs(VALUES[row] - window.median()) / spread)


def _slow_hour(row: int) -> float:
    own = np.concatenate([VALUES[row - row % 60 : row]])
    return float(abs(VALUES[row] - own.mean()) / own.std())


@pytest.mark.parametrize(
    ("name", "slow"),
    [("z-score", _slow_z), ("Hampel", _slow_hampel), ("hour-of-week z-score", _slow_hour)],
)
def test_formulas_agree_with_plain_ones(name: str, slow: Callable[[int], float]) -> None:
    scores = PLAIN[name](VALUES)
    for row in (130, 290, 499):
        assert scores[row] == pytest.approx(slow(row))


def test_ewma_agrees_with_pandas() -> None:
    scores = PLAIN["EWMA z-score"](VALUES)
    weighted = pd.Series(VALUES).ewm(alpha=1 / 60, adjust=False)  # forgets the start by row 490
    mean, spread = weighted.mean(), weighted.std(bias=True)
    right = abs(VALUES[499] - mean[498]) / spread[498]
    assert scores[499] == pytest.approx(right, rel=0.01)


@pytest.mark.parametrize("name", PLAIN)
def test_formulas_do_not_look_ahead_and_keep_series_apart(name: str) -> None:
    spoiled = np.concatenate([VALUES[:300], np.full(200, 99.0)])
    assert np.array_equal(PLAIN[name](VALUES)[:300], PLAIN[name](spoiled)[:300])
    both = score_series(name, np.concatenate([VALUES, spoiled]), [500, 500])
    assert np.array_equal(both[500:], PLAIN[name](spoiled))
    assert len(PLAIN[name](VALUES[:30])) == 30


@pytest.mark.parametrize("name", PLAIN)
def test_a_constant_is_never_odd(name: str) -> None:
    assert PLAIN[name](np.full(200, 3.0)).max() == 0


def test_a_script_scores_what_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "values.npy", tmp_path / "scores.npy"
    np.save(source, VALUES)
    asked = json.dumps(["z-score", str(source), [500], str(target)])
    monkeypatch.setattr(sys, "stdin", io.StringIO(asked + "\n"))
    main()
    there, seconds = capsys.readouterr().out.splitlines()
    assert json.loads(there) == installed()
    assert float(seconds) >= 0
    assert np.array_equal(np.load(target), PLAIN["z-score"](VALUES))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_detectors_score_each_row(name: str) -> None:
    if name not in installed():
        pytest.skip(f"{name.split(maxsplit=1)[0]} is not installed.")
    values = np.random.default_rng(1).normal(10, 2, 3_100)
    assert np.isfinite(PUBLISHED[name](values)).all()


class _Spot:
    """Stands for a law whose tail ends at 12 on either side of 0."""

    def __init__(self, **_: Any) -> None:
        self.excess_threshold = 11.0

    def fit(self, values: list[float]) -> None:
        assert values

    def probability(self, value: float) -> float:
        return 0.01 if value <= 12 else float("nan")

    def step(self, value: float) -> None:
        assert np.isfinite(value)


def test_beyond_the_end_of_a_tail_a_value_is_as_odd_as_can_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(peer_scores, "_take", lambda _: SimpleNamespace(Spot=_Spot))
    values: NDArray[np.float64] = np.array([5.0] * 30 + [10.0, 11.5, 13.0, -11.5])
    scores = PUBLISHED["libspot"](values)
    assert scores[-4:].tolist() == pytest.approx([0.0, 2.0, 300.0, 2.0])


class _Counting:
    """Scores a row by how many rows it has learned, whatever it is called with."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.learned = 0
        self.drift_detected = False
        self._sum_increase = self._min_increase = self._sum_decrease = 0.0
        self._max_decrease = 0.0

    def __or__(self, other: "_Counting") -> "_Counting":
        return other

    def score_one(self, *_: Any) -> int:
        return self.learned

    def learn_one(self, *_: Any) -> None:
        self.learned += 1

    def update(self, _: float) -> None:
        self.learned += 1
        self._sum_increase += 1.0
        self.drift_detected = self.learned % 100 == 0

    def fit(self, rows: NDArray[np.float64]) -> "_Counting":
        self.learned = len(rows)
        return self

    def decision_function(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return rows[:, -1]


class _Anything:
    def __getattr__(self, _: str) -> type[_Counting]:
        return _Counting


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("river GaussianScorer", np.arange(3_000)),
        ("river HalfSpaceTrees", np.arange(3_000)),
        ("river SNARIMAX", np.arange(3_000)),
        ("river PageHinkley", np.arange(3_000) + 1),
        ("river ADWIN", 16.0 * (np.arange(3_000) % 100 == 99)),
        ("PyOD ECOD", np.where(np.arange(3_000) < 2_880, 0, np.arange(3_000))),
    ],
)
def test_a_row_is_scored_by_what_was_learned_before_it(
    name: str, right: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_scores, "_take", lambda _: _Anything())
    assert score_series(name, np.arange(3_000.0), [3_000]).tolist() == right.tolist()


def test_spot_with_drift_sees_what_is_left_of_the_last_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_scores, "_take", lambda _: SimpleNamespace(Spot=_Spot))
    values: NDArray[np.float64] = np.array([105.0] * 40 + [116.5, 105.0])
    assert PUBLISHED["libspot, drift"](values)[-2:].tolist() == pytest.approx([2.0, 0.0])


def test_the_file_is_a_script(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    runpy.run_path(str(peer_scores.__file__), run_name="__main__")
    assert json.loads(capsys.readouterr().out) == installed()


def test_a_library_is_loaded_when_it_is_asked() -> None:
    assert peer_scores._take("json") is json


def test_libspot_treats_both_tails_alike() -> None:
    pytest.importorskip("libspot")
    values = np.random.default_rng(2).standard_t(3, 2_000)
    tails = libspot_tails(values, first=300, q=1e-3)
    assert np.array_equal(libspot_tails(-values, first=300, q=1e-3), tails)
    assert (tails[:300] == 1).all()
    assert 0.01 < (tails[300:] < 1).mean() < 0.1
