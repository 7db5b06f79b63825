"""What was shown lately is known; what is too old, or too many, is not."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.feedback.shown import Shown, ShownPredictions

from .conftest import DRAFT, NOW, MakeShown

GAPS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 12)), max_size=40)


def test_it_is_known_for_as_long_as_it_is_kept(make_shown: MakeShown, now: datetime) -> None:
    shown = ShownPredictions(keep=timedelta(hours=1))
    shown.remember("p", make_shown())
    assert shown.find("p", at=now + timedelta(hours=1)) == make_shown()
    assert shown.find("p", at=now + timedelta(hours=1, microseconds=1)) is None
    assert shown.find("q", at=now) is None


def test_what_was_shown_may_turn_out_otherwise(make_shown: MakeShown, now: datetime) -> None:
    shown = ShownPredictions(most=2)
    for name in ("p", "q"):
        shown.remember(name, make_shown())
    drafted = make_shown(draft=DRAFT)
    shown.replace("p", drafted)
    assert shown.find("p", at=now) is drafted
    shown.remember("r", make_shown())  # p is the oldest still
    assert (shown.find("p", at=now), len(shown)) == (None, 2)
    shown.replace("p", drafted)
    assert (shown.find("p", at=now), len(shown)) == (None, 2)


@given(gaps=GAPS, most=st.integers(1, 6), characters=st.integers(1, 20))
def test_what_is_kept_is_what_a_plain_queue_keeps(
    gaps: list[tuple[int, int]], most: int, characters: int
) -> None:
    keep = timedelta(seconds=10)
    shown = ShownPredictions(most=most, keep=keep, characters=characters)
    plain: deque[tuple[str, Shown]] = deque()
    seconds = list(accumulate(gap for gap, _ in gaps))
    for place, (second, (_, length)) in enumerate(zip(seconds, gaps, strict=True)):
        one = Shown(
            at=NOW + timedelta(seconds=second),
            user=None,
            model_version=None,
            catalog_hash="c",
            operations=("a",),
            confidences=(None,),
            prompt="x" * length if length else None,
        )
        shown.remember(str(place), one)
        plain.append((str(place), one))
        while plain and (
            len(plain) > most
            or sum(len(each.prompt or "") for _, each in plain) > characters
            or one.at - plain[0][1].at > keep
        ):
            plain.popleft()
        assert len(shown) == len(plain)
        for name, each in plain:
            assert shown.find(name, at=one.at) is each


def test_threads_may_share_one(make_shown: MakeShown, now: datetime) -> None:
    shown = ShownPredictions(most=50)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: shown.remember(str(n), make_shown()), range(2_000)))
    assert len(shown) == 50
    assert sum(shown.find(str(n), at=now) is not None for n in range(2_000)) == 50


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"most": 0}, "most must be at least 1, got 0"),
        ({"characters": 0}, "characters must be at least 1, got 0"),
        ({"keep": timedelta(0)}, "keep must be above 0, got 0:00:00"),
    ],
)
def test_it_keeps_something(options: dict[str, int], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        ShownPredictions(**options)  # type: ignore[arg-type]  # one of each
