import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextcall.abtest.click_models import (
    Cascade,
    PositionBiased,
    draft_many,
    draw_sessions,
)
from nextcall.abtest.interleaving_credit import team_draft_shares


def test_position_biased_clicks_have_the_chance_of_rank_and_grade() -> None:
    users = PositionBiased(attraction=(0.1, 0.8), decay=1.0)
    grades = np.tile([1, 0, 1], (40_000, 1))
    clicked = users.clicks(grades, rng=np.random.default_rng(0), appetite=0.5).mean(axis=0)
    expected = np.array([0.8, 0.1, 0.8]) * 0.5 / [1, 2, 3]
    assert (np.abs(clicked - expected) < 4 * np.sqrt(expected / 40_000)).all()


def test_a_cascade_goes_on_by_patience_and_satisfaction() -> None:
    users = Cascade(attraction=(0.1, 0.8), satisfaction=(0.2, 0.5), patience=0.9)
    grades = np.tile([1, 0, 1], (40_000, 1))
    clicked = users.clicks(grades, rng=np.random.default_rng(1)).mean(axis=0)
    looked = np.cumprod([1, (1 - 0.8 * 0.5) * 0.9, (1 - 0.1 * 0.2) * 0.9])
    expected = looked * [0.8, 0.1, 0.8]
    assert (np.abs(clicked - expected) < 4 * np.sqrt(expected / 40_000)).all()


def test_appetite_is_cut_at_certainty() -> None:
    users = Cascade(attraction=(0.5,), satisfaction=(0.0,))
    assert users.clicks([[0, 0]], rng=np.random.default_rng(2), appetite=[9.0]).all()


def test_users_come_as_often_as_is_said() -> None:
    rng = np.random.default_rng(3)
    sessions = draw_sessions(40_000, mean=6, spread=1.0, rng=rng)
    assert sessions.min() >= 1
    assert abs(sessions.mean() - 6) < 4 * sessions.std() / 200
    # Poisson of a lognormal rate: its mean, and the mean's square times exp(spread^2) - 1
    assert sessions.var() == pytest.approx(5 + 25 * (np.e - 1), rel=0.15)
    assert (draw_sessions(5, mean=6.4, spread=0.0, rng=rng) == 6).all()


@settings(max_examples=50)
@given(st.integers(1, 6), st.data())
def test_many_drafts_have_the_shares_of_one(n_items: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, n_items))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    orders = [rng.permuted(np.tile(np.arange(n_items), (4, 1)), axis=1) for _ in range(2)]
    items, share = draft_many(*orders, k=k, rng=rng)
    for first, second, shown, each in zip(*orders, items, share, strict=True):
        expected = team_draft_shares(shown.tolist(), [first.tolist(), second.tolist()])
        assert each.tolist() == pytest.approx(expected[:, 1])


def test_what_cannot_be_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"attraction must lie in \[0, 1\]"):
        PositionBiased(attraction=())
    with pytest.raises(ValueError, match="decay must be finite and at least 0"):
        PositionBiased(attraction=(0.1,), decay=-1)
    with pytest.raises(ValueError, match="as many grades as attraction, 1, got 2"):
        Cascade(attraction=(0.1,), satisfaction=(0.1, 0.2))
    with pytest.raises(ValueError, match=r"patience must lie in \[0, 1\]"):
        Cascade(attraction=(0.1,), satisfaction=(0.1,), patience=1.2)
    users = PositionBiased(attraction=(0.1, 0.2))
    with pytest.raises(ValueError, match="grades must have two dimensions"):
        users.clicks([0, 1], rng=rng)
    with pytest.raises(ValueError, match="grades must lie between 0 and 1, got 0 to 2"):
        users.clicks([[0, 2]], rng=rng)
    with pytest.raises(ValueError, match="appetite must be at least 0"):
        users.clicks([[0, 1]], rng=rng, appetite=-1.0)
    with pytest.raises(ValueError, match="n_users"):
        draw_sessions(0, mean=2, spread=0, rng=rng)
    with pytest.raises(ValueError, match="mean must be finite and at least 1"):
        draw_sessions(1, mean=0.5, spread=0, rng=rng)
    with pytest.raises(ValueError, match="spread"):
        draw_sessions(1, mean=2, spread=-1, rng=rng)
    with pytest.raises(ValueError, match="first must have two dimensions"):
        draft_many([0], [0], k=1, rng=rng)
    with pytest.raises(ValueError, match="k must lie between 1 and 2"):
        draft_many([[0, 1]], [[0, 1]], k=3, rng=rng)
