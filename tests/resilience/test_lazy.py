"""A value is made once, after those it needs, by whichever thread comes first."""

import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.resilience.lazy import CycleError, Lazy


def asked(value: Callable[[], int]) -> int | str:
    """Give the value, or the circle that it is in."""
    try:
        return value()
    except (CycleError, RecursionError) as error:
        return str(error).removeprefix("needs itself to be made: ").removesuffix(".")


@given(st.lists(st.lists(st.integers(0, 9), max_size=3), min_size=1, max_size=10), st.data())
def test_values_are_made_once_or_their_circle_is_told(
    needs: list[list[int]], data: st.DataObject
) -> None:
    needs = [[other % len(needs) for other in each] for each in needs]
    made = Counter[int]()

    def make(number: int) -> int:
        value = 1 + sum(values[other]() for other in needs[number])
        made[number] += 1
        return value

    def plain(number: int, path: tuple[int, ...]) -> int:
        if number in path:
            circle = path[path.index(number) :]
            raise RecursionError(" -> ".join(map(str, (circle[-1], *circle))))
        return 1 + sum(plain(other, (*path, number)) for other in needs[number])

    values = [Lazy(str(number), lambda n=number: make(n)) for number in range(len(needs))]  # type: ignore[misc]
    for number in data.draw(st.lists(st.integers(0, len(needs) - 1), min_size=1)):
        told, expected = asked(values[number]), asked(lambda n=number: plain(n, ()))  # type: ignore[misc]
        assert told == expected
    assert set(made.values()) <= {1}


def test_of_many_threads_one_makes_it() -> None:
    begin, made, found = threading.Barrier(16), list[object](), list[object]()

    def make() -> object:
        time.sleep(0.05)  # so that others come meanwhile
        made.append(object())
        return made[-1]

    value = Lazy("value", make)

    def ask() -> None:
        begin.wait(60)
        found.append(value())

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(made) == 1
    assert found == 16 * made


def test_an_error_is_not_kept() -> None:
    errors = [OSError(), OSError()]

    def make() -> int:
        if errors:
            raise errors.pop()
        return 7

    value = Lazy("value", make)
    other = Lazy("other", lambda: value() + 1)
    for each in (value, other):
        with pytest.raises(OSError):  # noqa: PT011  # it has no text
            each()
    assert (other(), value()) == (8, 7)


def test_two_threads_that_enter_a_circle_from_two_sides_are_told() -> None:
    met, made = threading.Barrier(2), set[int]()
    told = list[str]()

    def make(number: int) -> int:
        if number not in made:  # who is told makes way for the other, who makes this one again
            made.add(number)
            met.wait(60)  # both are being made
        return values[1 - number]()

    values = [Lazy("one", lambda: make(0)), Lazy("two", lambda: make(1))]

    def ask(number: int) -> None:
        try:
            values[number]()
        except CycleError as error:
            told.append(str(error))

    threads = [threading.Thread(target=ask, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert set(told) <= {
        "needs itself to be made: one -> two -> one.",
        "needs itself to be made: two -> one -> two.",
    }
    assert len(told) == 2


def test_none_is_a_value() -> None:
    made = list[int]()
    value = Lazy("none", lambda: made.append(1))
    assert (value(), value(), made) == (None, None, [1])
