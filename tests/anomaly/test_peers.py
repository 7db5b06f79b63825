"""Peers say what they say elsewhere; one that is not installed is named and not asked."""

from importlib.util import find_spec

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from nextcall.anomaly import peers
from nextcall.anomaly.peers import peer_scorers
from nextcall.anomaly.scorers import Scorer

TIMES = np.array([np.datetime64("2026-01-05T00:00:00", "s") + 300 * row for row in range(1000)])
RATE = 1 / 600


@pytest.fixture
def values() -> np.ndarray:
    drawn = np.random.default_rng(0).normal(100, 5, 1000)
    drawn[[500, 700]] += np.array([60, -60])
    return drawn


def _peer(name: str) -> Scorer:
    scorers, absent = peer_scorers(rate=RATE)
    if name in absent:
        pytest.skip(f"{absent[name]} is not installed")
    return next(scorer for scorer in scorers if scorer.name == name)


def test_every_peer_is_either_there_or_named() -> None:
    scorers, absent = peer_scorers()
    assert {scorer.origin for scorer in scorers} == {
        name for name in ("river", "libspot", "sklearn") if find_spec(name)
    }
    assert {scorer.name for scorer in scorers}.isdisjoint(absent)
    assert len(scorers) + len(absent) == 5


def test_peers_score_every_row_and_see_the_spikes(values: np.ndarray) -> None:
    for scorer in peer_scorers()[0]:
        scores = scorer.score(values, TIMES)
        assert scores.shape == values.shape
        assert np.isfinite(scores).all()
        assert scores[500] > np.quantile(scores, 0.8), scorer.name


def test_gaussian_gives_the_tails_of_the_normal_law(values: np.ndarray) -> None:
    peer = _peer("GaussianScorer")
    scores = peer.score(values, TIMES)
    norm = pytest.importorskip("scipy.stats").norm
    for row in (150, 400, 999):
        before = values[:row]
        tail = 2 * norm.sf(abs(values[row] - before.mean()) / before.std(ddof=1))
        assert scores[row] == pytest.approx(RATE / (RATE + tail), rel=1e-6)


def test_gaussian_gets_over_a_flat_window() -> None:
    flat = np.concatenate([np.random.default_rng(0).normal(1e6, 1e3, 300), np.full(400, 0.1)])
    scores = _peer("GaussianScorer, 288 rows").score(flat, TIMES[:700])
    assert np.isfinite(scores).all()


def test_spot_reaches_a_half_where_it_calls_an_anomaly(values: np.ndarray) -> None:
    libspot = pytest.importorskip("libspot")
    scores = _peer("Spot, both tails").score(values, TIMES)
    called = set()
    for low in (False, True):
        spot = libspot.Spot(q=RATE, low=low)
        spot.fit(values[:150].tolist())
        called |= {
            row
            for row, value in enumerate(values[150:].tolist(), start=150)
            if spot.step(value) == libspot.ANOMALY
        }
    assert {500, 700} <= called
    # its threshold is of its last excess, the probability of all rows so far
    assert set(np.flatnonzero(scores > 0.6)) <= called <= set(np.flatnonzero(scores > 0.4))


def test_spot_is_silent_where_it_cannot_be_fit() -> None:
    flat = np.full(200, 3.0)
    scores = _peer("Spot, both tails").score(flat, TIMES[:200])
    np.testing.assert_allclose(scores, RATE / (RATE + 1.0))


def test_the_forest_is_fitted_on_the_first_rows_alone(values: np.ndarray) -> None:
    rows = np.column_stack([values[1:], values[:-1]])
    scores = _peer("IsolationForest, 2 rows").score(values, TIMES)
    later = values.copy()
    later[600:] *= 3
    np.testing.assert_array_equal(
        _peer("IsolationForest, 2 rows").score(later, TIMES)[:600], scores[:600]
    )
    first = np.vstack([[values[0], values[0]], rows[:149]])
    forest = IsolationForest(random_state=0).fit(first)
    np.testing.assert_allclose(scores[1:], -forest.score_samples(rows))


def test_a_library_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda _: None)
    scorers, absent = peer_scorers()
    assert scorers == []
    assert absent["HalfSpaceTrees"] == "river"
