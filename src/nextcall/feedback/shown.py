"""What was shown lately, kept in memory until somebody says what became of it."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from nextcall.feedback.draft import Draft

MOST: Final = 100_000
KEEP: Final = timedelta(hours=1)
MOST_CHARACTERS: Final = 64_000_000


@dataclass(slots=True, kw_only=True)
class Shown:
    """One prediction as it was shown; not to be changed.

    It is no frozen dataclass, for one is made in twice the time, and every prediction makes one.

    Parameters
    ----------
    at : datetime
        With a zone.
    user : str, optional
        Who asked; nobody else may say what became of it.
    model_version : str, optional
    catalog_hash : str
    operations : tuple of str
        Ids, the first first.
    confidences : tuple of float or None
        Of each operation; None without a trained ranker.
    history : tuple of str
        Operation ids of the calls before, oldest first.
    prompt : str, optional
        Without personal data; None where prompts are not kept.
    trial, variant : str, optional
        The A/B test that decided what was shown, and what it decided.
    draft : Draft, optional
        How it came of two models' lists, where it did; `model_version` is the first one's.
    """

    at: datetime
    user: str | None
    model_version: str | None
    catalog_hash: str
    operations: tuple[str, ...]
    confidences: tuple[float | None, ...]
    history: tuple[str, ...] = ()
    prompt: str | None = None
    trial: str | None = None
    variant: str | None = None
    draft: Draft | None = None


class ShownPredictions:
    """The predictions that were shown last; threads may share one.

    To remember one costs about a microsecond and touches no database. What is too old goes when
    the next is remembered, and so do the oldest where there are too many.

    Parameters
    ----------
    most : int
        Predictions that are kept.
    keep : timedelta
        For how long.
    characters : int
        Of the prompts of all that are kept.

    Examples
    --------
    >>> shown, now = ShownPredictions(most=1), datetime(2026, 5, 1, tzinfo=UTC)
    >>> for name in ("p1", "p2"):
    ...     one = Shown(
    ...         at=now, user="u", model_version=None, catalog_hash="c", operations=("list",),
    ...         confidences=(0.5,),
    ...     )
    ...     shown.remember(name, one)
    >>> shown.find("p1", at=now) is None, shown.find("p2", at=now).operations
    (True, ('list',))
    """

    def __init__(
        self, *, most: int = MOST, keep: timedelta = KEEP, characters: int = MOST_CHARACTERS
    ) -> None:
        for name, value in (("most", most), ("characters", characters)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}.")
        if keep <= timedelta(0):
            raise ValueError(f"keep must be above 0, got {keep}.")
        self._most, self._keep, self._characters = most, keep, characters
        self._kept: OrderedDict[str, Shown] = OrderedDict()
        self._written = 0  # characters of the prompts that are kept
        self._first_until = datetime.min.replace(tzinfo=UTC)  # when the oldest is too old
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def remember(self, prediction_id: str, shown: Shown) -> None:
        """Keep what was shown; predictions must come about in the order of their times."""
        with self._lock:
            kept = self._kept
            kept[prediction_id] = shown  # an id is remembered once
            if shown.prompt is not None:
                self._written += len(shown.prompt)
            if (
                len(kept) > self._most
                or self._written > self._characters
                or shown.at > self._first_until
            ):
                self._make_room(shown.at)

    def replace(self, prediction_id: str, shown: Shown) -> None:
        """Let something else have been shown, at the same time and after the same prompt.

        What is not known any more stays so.
        """
        with self._lock:
            if prediction_id in self._kept:
                self._kept[prediction_id] = shown

    def _make_room(self, at: datetime) -> None:
        """Let the oldest go until all is as it may be."""
        kept = self._kept
        while kept:
            first = next(iter(kept.values()))
            self._first_until = first.at + self._keep
            full = len(kept) > self._most or self._written > self._characters
            if not full and at <= self._first_until:
                return
            kept.popitem(last=False)
            self._written -= len(first.prompt or "")

    def find(self, prediction_id: str, *, at: datetime) -> Shown | None:
        """Give what was shown; None where it is not known, or too old at a moment."""
        found = self._kept.get(prediction_id)
        return None if found is None or at - found.at > self._keep else found
