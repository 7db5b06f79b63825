"""Parts for training and testing: by session, user, group or time, never by row."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from nextcall.sessions.call import Query, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Which rows train and which test: ascending positions, none in both."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]


def group_folds(
    groups: Sequence[Hashable], n_folds: int, *, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Give every row a fold so that a group is in one fold only and the folds are of like size.

    The largest group goes first, each to the fold with the fewest rows so far; `rng` decides
    among groups of one size. No fold is empty, and the largest has at most as many rows more than
    the smallest as the largest group has.

    Parameters
    ----------
    groups : sequence of hashable
        What each row belongs to: a session, a user, a service.
    n_folds : int
        At least 2, at most the number of groups.
    rng : numpy.random.Generator
        Source of the order among equals.

    Returns
    -------
    numpy.ndarray of int, shape (n_rows,)
        Fold of each row, from 0.

    Raises
    ------
    ValueError
        Where `n_folds` is out of range.

    Examples
    --------
    >>> folds = group_folds(["a", "b", "a", "c"], 2, rng=np.random.default_rng(0))
    >>> sorted(np.bincount(folds).tolist()), bool(folds[0] == folds[2])
    ([2, 2], True)
    """
    codes, sizes = _coded(groups)
    if not 2 <= n_folds <= len(sizes):
        raise ValueError(
            f"n_folds must be at least 2 and at most the {len(sizes)} groups, got {n_folds}."
        )
    shuffled = rng.permutation(len(sizes))
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    fold_of_group = np.empty(len(sizes), dtype=np.int64)
    rows_in_fold = np.zeros(n_folds, dtype=np.int64)
    for group in order:
        fold = int(rows_in_fold.argmin())
        fold_of_group[group] = fold
        rows_in_fold[fold] += sizes[group]
    return fold_of_group[codes]


def split_by_group(
    groups: Sequence[Hashable], *, test_share: float, rng: np.random.Generator
) -> Split:
    """Draw whole groups into the test part until it has its share of the rows.

    Groups are drawn in random order; one that would carry the test part further past its share
    than it now falls short is left to the training part. Both parts have at least one group.

    Parameters
    ----------
    groups : sequence of hashable
        What each row belongs to; at least two different ones.
    test_share : float
        Share of the rows that test, in (0, 1).
    rng : numpy.random.Generator
        Draws the groups.

    Raises
    ------
    ValueError
        Where `test_share` is out of range or there are fewer than two groups.
    """
    if not 0 < test_share < 1:
        raise ValueError(f"test_share must be in (0, 1), got {test_share}.")
    codes, sizes = _coded(groups)
    if len(sizes) < 2:
        raise ValueError(f"groups must hold at least two different groups, got {len(sizes)}.")
    wanted = test_share * len(codes)
    drawn = np.zeros(len(sizes), dtype=bool)
    order = rng.permutation(len(sizes))
    rows = 0
    for group in order[:-1]:  # the last one is left to train
        if abs(rows + sizes[group] - wanted) < abs(rows - wanted):
            drawn[group] = True
            rows += int(sizes[group])
    if not drawn.any():  # every group is more than twice the share: the smallest comes closest
        drawn[order[sizes[order].argmin()]] = True
    return _split(drawn[codes])


def split_by_session(
    rows: Sequence[Session | Query], *, test_share: float, rng: np.random.Generator
) -> Split:
    """Split queries or sessions so that no session is in both parts.

    A query without a session stands alone.

    Raises
    ------
    ValueError
        As `split_by_group` raises.
    """
    groups: list[Hashable] = [
        row.session_id or position for position, row in enumerate(rows)
    ]  # a position is no text, so it is no other row's session
    return split_by_group(groups, test_share=test_share, rng=rng)


def split_by_user(
    sessions: Sequence[Session], *, test_share: float, rng: np.random.Generator
) -> Split:
    """Split sessions so that no user is in both parts; the share is one of sessions.

    Raises
    ------
    ValueError
        As `split_by_group` raises.
    """
    return split_by_group([session.user_id for session in sessions], test_share=test_share, rng=rng)


def split_by_time(sessions: Sequence[Session], *, at: datetime) -> Split:
    """Train on the sessions that ended before `at`, test on those that began at it or after.

    A session that is under way at that moment is in neither part: its later calls would tell the
    training part of the time that is tested, and its earlier ones would not be new.

    Parameters
    ----------
    sessions : sequence of Session
        The times of all their calls must be known.
    at : datetime
        Aware.

    Raises
    ------
    ValueError
        Where `at` states no zone, or a session has no calls or one without a time.
    """
    if at.tzinfo is None:
        raise ValueError(f"at must state its zone, got {at.isoformat()}.")
    train, test = [], []
    for position, session in enumerate(sessions):
        times = [call.time for call in session.calls if call.time is not None]
        if len(times) != len(session.calls) or not times:
            raise ValueError(
                f"sessions must have the time of every call, {session.session_id!r} has "
                f"{len(times)} of {len(session.calls)}."
            )
        if max(times) < at:
            train.append(position)
        elif min(times) >= at:
            test.append(position)
    return Split(train=np.array(train, dtype=np.int64), test=np.array(test, dtype=np.int64))


def _coded(groups: Sequence[Hashable]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the groups in the order in which they come; give each row's, and their sizes."""
    numbers: dict[Hashable, int] = {}
    codes = np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.int64)
    return codes, np.bincount(codes, minlength=len(numbers))


def _split(is_test: NDArray[np.bool_]) -> Split:
    return Split(train=np.flatnonzero(~is_test), test=np.flatnonzero(is_test))
