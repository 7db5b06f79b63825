import numpy as np
import pytest
from scipy import stats

from nextcall.synth.users import UserHabits, draw_users

POPULARITY = np.array([[4.0, 3.0, 2.0, 1.0, 0.0], [4.0, 3.0, 2.0, 1.0, 0.0]])


def test_activity_is_a_zipf_law(rng: np.random.Generator) -> None:
    users = draw_users(UserHabits(users=20), POPULARITY, rng=rng)
    drawn = np.bincount(users.draw(10_000, rng=rng), minlength=20)
    expected = 1 / np.arange(1, 21)
    assert stats.chisquare(drawn, expected / expected.sum() * 10_000).pvalue > 0.001
    frame = users.to_frame()
    assert frame["user_id"].is_unique
    assert frame["activity"].sum() == pytest.approx(1.0)


def test_favourites_follow_popularity_and_outlast_a_drift_that_is_none(
    rng: np.random.Generator,
) -> None:
    users = draw_users(UserHabits(users=2000), POPULARITY, rng=rng)
    np.testing.assert_array_equal(users.favourites[0], users.favourites[1])
    counts = np.bincount(users.favourites[0].ravel(), minlength=5)
    assert counts[4] == 0
    assert stats.chisquare(counts[:4], np.array([4, 3, 2, 1]) * 1000).pvalue > 0.001


def test_the_favourite_liked_most_is_chosen_most(rng: np.random.Generator) -> None:
    popularity = np.eye(1, 5)  # all favourites are resource 0 ...
    users = draw_users(UserHabits(users=1, favourites=3), popularity, rng=rng)
    users.favourites[0, 0] = [2, 1, 3]  # ... but for this user
    nobody = np.zeros(6000, dtype=np.int64)
    counts = np.bincount(users.favourite(nobody, nobody, rng=rng), minlength=4)
    expected = np.array([6, 3, 2]) / 11 * 6000
    assert stats.chisquare(counts[[2, 1, 3]], expected).pvalue > 0.001


def test_paces_differ_as_much_as_asked_for(rng: np.random.Generator) -> None:
    users = draw_users(UserHabits(users=4000, tempo=0.4), POPULARITY, rng=rng)
    assert stats.kstest(np.log(users.pace) / 0.4, "norm").pvalue > 0.001


@pytest.mark.parametrize(
    ("habits", "message"),
    [
        ({"users": 0}, "users must be at least 1, got 0"),
        ({"favourites": 0}, "favourites must be at least 1, got 0"),
        ({"loyalty": 2}, r"loyalty must be in \[0, 1\], got 2"),
        ({"tempo": -1}, "activity and tempo must be at least 0"),
    ],
)
def test_habits_out_of_range_are_refused(habits: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        UserHabits(**habits)
