"""Users and what they like: how often they come, to which resources, and how fast they are."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nextcall.synth.chain import WeightedRows


@dataclass(frozen=True, slots=True, kw_only=True)
class UserHabits:
    """How users differ; the defaults are choices, not measurements."""

    users: int = 500
    activity: float = 1.0
    """Exponent of the Zipf law of sessions a user."""
    favourites: int = 5
    """Resources that a user has as favourites."""
    loyalty: float = 0.7
    """Chance that a session begins at a favourite; else at any resource by its popularity."""
    tempo: float = 0.4
    """Standard deviation of the logarithm of the users' pace."""

    def __post_init__(self) -> None:
        if self.users < 1:
            raise ValueError(f"users must be at least 1, got {self.users}.")
        if self.favourites < 1:
            raise ValueError(f"favourites must be at least 1, got {self.favourites}.")
        if not 0 <= self.loyalty <= 1:
            raise ValueError(f"loyalty must be in [0, 1], got {self.loyalty}.")
        if min(self.activity, self.tempo) < 0:
            raise ValueError("activity and tempo must be at least 0.")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Users:
    """The users that were drawn."""

    ids: tuple[str, ...]
    activity: NDArray[np.float64]
    """Shape (n_users,): share of the sessions; sums to 1."""
    pace: NDArray[np.float64]
    """Shape (n_users,): factor on every gap between calls; above 1 is slow."""
    favourites: NDArray[np.int64]
    """Shape (n_regimes, n_users, n_favourites): groups of a `ResourceMap`, most liked first."""
    loyalty: float

    def draw(self, n_sessions: int, *, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the user of each session."""
        rows = WeightedRows.of_matrix(self.activity[None, :])
        return rows.draw(np.zeros(n_sessions, dtype=np.int64), rng.random(n_sessions))

    def favourite(
        self, regime: NDArray[np.int64], user: NDArray[np.int64], *, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Draw one of the users' favourite resources, the more liked the likelier (Zipf)."""
        n = self.favourites.shape[2]
        likes = WeightedRows.of_matrix(1.0 / np.arange(1, n + 1)[None, :])
        place = likes.draw(np.zeros(len(user), dtype=np.int64), rng.random(len(user)))
        chosen: NDArray[np.int64] = self.favourites[regime, user, place]
        return chosen

    def to_frame(self) -> pd.DataFrame:
        """Give one row a user: id, share of the sessions, pace."""
        return pd.DataFrame(
            {
                "user_id": pd.Series(self.ids, dtype="string"),
                "activity": self.activity,
                "pace": self.pace,
            }
        )


def draw_users(
    habits: UserHabits, popularity: NDArray[np.float64], *, rng: np.random.Generator
) -> Users:
    """Draw users.

    Parameters
    ----------
    habits : UserHabits
        How they differ.
    popularity : numpy.ndarray of shape (n_regimes, n_groups)
        How popular each resource is, before and (where there is a second row) after a drift.
        A user's taste is drawn with the same random numbers in both, so that it changes only as
        far as the popularity does.
    """
    n = habits.users
    weights = np.arange(1, n + 1, dtype=np.float64) ** -habits.activity
    taste = rng.random((n, habits.favourites))
    rows = WeightedRows.of_matrix(popularity)
    favourites = [
        rows.draw(np.full(taste.size, regime, dtype=np.int64), taste.ravel()).reshape(taste.shape)
        - regime * popularity.shape[1]
        for regime in range(len(popularity))
    ]
    width = len(str(n - 1))
    return Users(
        ids=tuple(f"u{user:0{width}d}" for user in range(n)),
        activity=weights / weights.sum(),
        pace=np.exp(habits.tempo * rng.standard_normal(n)),
        favourites=np.stack(favourites),
        loyalty=habits.loyalty,
    )
