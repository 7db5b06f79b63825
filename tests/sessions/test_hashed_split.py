"""What tests is said by a hash of its name: the same groups always, about as many as asked for."""

import hashlib
import math
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from nextcall.sessions.hashed_split import hash_place, split_by_hash

names = st.text(max_size=12)
rows = st.lists(names, min_size=2, max_size=80).filter(lambda row: len(set(row)) > 1)
shares = st.floats(0.02, 0.95)


def held_back(groups: list[str], *, share: float = 0.1) -> set[str]:
    return {groups[row] for row in split_by_hash(groups, test_share=share, purpose="p").test}


def below(groups: list[str], share: float) -> set[str]:
    return {name for name in groups if hash_place(name, purpose="p") < share}


@given(rows, shares)
def test_both_parts_are_whole_groups_and_neither_is_empty(groups: list[str], share: float) -> None:
    split = split_by_hash(groups, test_share=share, purpose="p")
    both = np.concatenate([split.train, split.test])
    np.testing.assert_array_equal(np.sort(both), np.arange(len(groups)))
    assert len(split.train)
    assert len(split.test)
    assert (np.diff(split.train) > 0).all()
    assert (np.diff(split.test) > 0).all()
    assert not {groups[row] for row in split.train} & {groups[row] for row in split.test}


@given(rows, shares, st.randoms(use_true_random=False))
def test_neither_the_order_nor_a_seed_counts(groups: list[str], share: float, rng: object) -> None:
    shuffled = list(groups)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]  # random.Random, of hypothesis
    assert held_back(shuffled, share=share) == held_back(groups, share=share)


@given(rows, shares)
def test_the_hash_decides_where_the_share_comes_right(groups: list[str], share: float) -> None:
    low = below(groups, share)
    part = sum(name in low for name in groups) / len(groups)
    assume(share / 2 <= part <= min(2 * share, (1 + share) / 2))
    assert held_back(groups, share=share) == low


@given(rows, rows)
def test_what_tested_once_is_tested_on_as_more_come(first: list[str], more: list[str]) -> None:
    share = 0.3
    both = first + more
    for groups in (first, both):
        part = sum(name in below(groups, share) for name in groups) / len(groups)
        assume(share / 2 <= part <= 2 * share)
    assert held_back(first, share=share) <= held_back(both, share=share)
    assert not (set(first) - held_back(first, share=share)) & held_back(both, share=share)


@given(rows, shares)
def test_few_or_unlike_groups_come_as_near_as_they_can(groups: list[str], share: float) -> None:
    sizes = Counter(groups)
    least, most = share / 2 * len(groups), min(2 * share, (1 + share) / 2) * len(groups)
    found = held_back(groups, share=share)
    n = sum(sizes[name] for name in found)
    if n > most:  # every group is larger
        assert [sizes[name] for name in found] == [min(sizes.values())]
        assert min(sizes.values()) > most
    elif n < least:  # none is left that would not go too far
        assert all(n + sizes[name] > most for name in sizes.keys() - found)


@given(names)
def test_the_share_of_many_groups_is_about_that_asked_for(prefix: str) -> None:
    n, share = 2_000, 0.1
    found = held_back([f"{prefix}{number}" for number in range(n)], share=share)
    spread = math.sqrt(share * (1 - share) / n)
    assert abs(len(found) / n - share) < 6 * spread  # once in 500 million


def test_too_few_below_the_share_are_topped_up_in_order() -> None:
    every = sorted(
        (f"s{number}" for number in range(200)), key=lambda s: hash_place(s, purpose="p")
    )
    high = every[100:]  # all of them are far above the share
    assert not below(high, 0.1)
    assert held_back(high) == set(high[:5])  # half of the share
    assert held_back([*every[:2], *high[:38]]) == set(every[:2])
    assert held_back([*every[:1], *high[:39]]) == {every[0], high[0]}
    assert held_back(every[:10]) == set(every[:2])  # all are below it: twice the share
    assert held_back([every[0]] * 90 + every[1:11]) == set(every[1:11])  # not nine tenths


def test_places_are_uniform_and_of_other_purposes_independent() -> None:
    said = [f"session-{number}" for number in range(5_000)]
    one, other = (
        np.array([hash_place(name, purpose=purpose) for name in said]) for purpose in ("a", "b")
    )
    assert min(one.min(), other.min()) >= 0
    assert max(one.max(), other.max()) < 1
    assert stats.kstest(one, "uniform").pvalue > 1e-4
    assert stats.spearmanr(one[1:], one[:-1]).pvalue > 1e-4  # names that follow one another
    assert stats.spearmanr(one, other).pvalue > 1e-4


def test_a_place_is_that_of_a_keyed_hash_in_every_process() -> None:
    digest = hashlib.blake2b(b"s1", digest_size=8, key=b"held out").hexdigest()
    place = hash_place("s1", purpose="held out")
    assert place == pytest.approx(int(digest, 16) / 16**16, abs=2**-52)
    code = (
        "from nextcall.sessions.hashed_split import hash_place\n"
        "print(repr(hash_place('s1', purpose='held out')))"
    )
    for seed in ("1", "2"):  # of Python's own hash, which differs
        said = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        )
        assert float(said.stdout) == place


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, math.nan])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"^test_share must be in \(0, 1\), got "):
        split_by_hash(["a", "b"], test_share=share, purpose="p")


def test_one_group_and_a_long_purpose_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^groups must hold at least two .*, got 1\.$"):
        split_by_hash(["a", "a"], test_share=0.1, purpose="p")
    with pytest.raises(ValueError, match=r"^purpose must have at most 64 bytes, got 65\.$"):
        split_by_hash(["a", "b"], test_share=0.1, purpose="p" * 65)
