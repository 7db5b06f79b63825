"""A doorkeeper knows what came lately, and never claims to know what did not come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.cache.doorkeeper import Doorkeeper


@given(st.lists(st.text(max_size=3), max_size=60), st.integers(2, 20))
def test_what_came_lately_is_known_and_what_never_came_is_not(texts: list[str], most: int) -> None:
    door = Doorkeeper(most)
    for place, text in enumerate(texts):
        before = texts[:place]
        told = door.again(text)
        if told:
            assert text in before
        since = before[::-1].index(text) if text in before else None
        if since is not None and len({*before[place - since :]}) < most // 2:
            assert told
        assert len(door._newer) + len(door._older) <= most


def test_it_keeps_no_text() -> None:
    door = Doorkeeper()
    door.again("list the queues of Zaphod")
    assert "Zaphod" not in repr(door.__dict__)


def test_one_that_knows_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="most must be at least 2, got 1"):
        Doorkeeper(1)
