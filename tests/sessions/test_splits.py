from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold

from nextcall.sessions.call import Call, Query, Session, calls_of
from nextcall.sessions.splits import (
    Split,
    group_folds,
    split_by_group,
    split_by_session,
    split_by_time,
    split_by_user,
)

_NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
groups = st.lists(st.integers(0, 9), min_size=2, max_size=60).filter(lambda row: len(set(row)) > 1)
seeds = st.integers(0, 2**32 - 1)


def _session(name: str, user: str, *minutes: int) -> Session:
    calls = tuple(Call(operation_id="a", time=_NOON + timedelta(minutes=at)) for at in minutes)
    return Session(session_id=name, user_id=user, calls=calls)


def _assert_whole(split: Split, n_rows: int) -> None:
    np.testing.assert_array_equal(
        np.sort(np.concatenate([split.train, split.test])), np.arange(n_rows)
    )
    assert len(split.train)
    assert len(split.test)
    assert (np.diff(split.train) > 0).all()
    assert (np.diff(split.test) > 0).all()


@given(groups, st.integers(2, 5), seeds)
def test_folds_keep_groups_whole_and_sizes_alike(row: list[int], n_folds: int, seed: int) -> None:
    assume(len(set(row)) >= n_folds)
    folds = group_folds(row, n_folds, rng=np.random.default_rng(seed))
    assert len({(group, fold) for group, fold in zip(row, folds, strict=True)}) == len(set(row))
    sizes = np.bincount(folds, minlength=n_folds)
    assert sizes.min() > 0
    assert sizes.max() - sizes.min() <= max(row.count(group) for group in row)
    again = group_folds(row, n_folds, rng=np.random.default_rng(seed))
    np.testing.assert_array_equal(folds, again)


@given(groups, st.integers(2, 5))
def test_folds_are_as_large_as_scikit_learn_makes_them(row: list[int], n_folds: int) -> None:
    assume(len(set(row)) >= n_folds)
    parts = GroupKFold(n_folds).split(np.zeros(len(row)), groups=row)
    expected = sorted(len(test) for _, test in parts)
    folds = group_folds(row, n_folds, rng=np.random.default_rng(0))
    assert sorted(np.bincount(folds)) == expected


@given(groups, st.floats(0.01, 0.99), seeds)
def test_no_group_is_in_two_parts(row: list[int], share: float, seed: int) -> None:
    split = split_by_group(row, test_share=share, rng=np.random.default_rng(seed))
    _assert_whole(split, len(row))
    values = np.array(row)
    assert not set(values[split.train]) & set(values[split.test])
    off = abs(len(split.test) - share * len(row))
    assert off <= max(row.count(group) for group in row)


@given(st.lists(st.sampled_from(["", "s", "t"]), min_size=3, max_size=30), seeds)
def test_no_session_is_in_two_parts(names: list[str], seed: int) -> None:
    assume(len(set(names)) > 1 or "" in names)
    queries = [Query(query_id=str(i), prompt="", session_id=name) for i, name in enumerate(names)]
    split = split_by_session(queries, test_share=0.4, rng=np.random.default_rng(seed))
    _assert_whole(split, len(names))
    train, test = ({names[i] for i in part} - {""} for part in (split.train, split.test))
    assert not train & test


@given(st.lists(st.sampled_from("uvwx"), min_size=2, max_size=30), seeds)
def test_no_user_is_in_two_parts(users: list[str], seed: int) -> None:
    assume(len(set(users)) > 1)
    sessions = [_session(str(i), user, 0) for i, user in enumerate(users)]
    split = split_by_user(sessions, test_share=0.5, rng=np.random.default_rng(seed))
    _assert_whole(split, len(users))
    assert not {users[i] for i in split.train} & {users[i] for i in split.test}


@given(st.lists(st.lists(st.integers(0, 100), min_size=1, max_size=4)), st.integers(0, 100))
def test_training_ends_before_testing_begins(rows: list[list[int]], border: int) -> None:
    sessions = [_session(str(i), "u", *minutes) for i, minutes in enumerate(rows)]
    split = split_by_time(sessions, at=_NOON + timedelta(minutes=border))
    assert all(max(rows[i]) < border for i in split.train)
    assert all(min(rows[i]) >= border for i in split.test)
    crossing = [i for i, row in enumerate(rows) if min(row) < border <= max(row)]
    assert sorted([*split.train, *split.test, *crossing]) == list(range(len(rows)))


def test_a_share_below_every_group_still_tests_on_the_smallest() -> None:
    row = ["a"] * 10 + ["b"] * 6
    split = split_by_group(row, test_share=0.1, rng=np.random.default_rng(0))
    assert split.test.tolist() == list(range(10, 16))


def test_refusals() -> None:
    rng = np.random.default_rng(0)
    for n_folds in (1, 3):
        with pytest.raises(ValueError, match=f"at most the 2 groups, got {n_folds}"):
            group_folds(["a", "b"], n_folds, rng=rng)
    with pytest.raises(ValueError, match=r"test_share must be in \(0, 1\), got 1"):
        split_by_group(["a", "b"], test_share=1, rng=rng)
    with pytest.raises(ValueError, match="at least two different groups, got 1"):
        split_by_group(["a", "a"], test_share=0.5, rng=rng)
    with pytest.raises(ValueError, match="at must state its zone, got 2024-05-01T12:00:00"):
        split_by_time([], at=_NOON.replace(tzinfo=None))
    untimed = Session(
        session_id="s", user_id="u", calls=(*_session("s", "u", 0).calls, *calls_of("a"))
    )
    with pytest.raises(ValueError, match="'s' has 1 of 2"):
        split_by_time([untimed], at=_NOON)
    with pytest.raises(ValueError, match="'t' has 0 of 0"):
        split_by_time([_session("t", "u")], at=_NOON)
