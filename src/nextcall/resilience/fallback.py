"""Answers from the first of several ways that has one, and why those before it had none."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from nextcall.resilience.categories import Categorise, categorise
from nextcall.resilience.category import Category
from nextcall.resilience.deadline import remaining

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A way to an answer, and why it gave none."""

    name: str
    category: Category
    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[T_co]):
    """What was answered, which way gave it, and why those before it did not."""

    value: T_co
    answered_by: str
    failures: tuple[Failure, ...] = ()


class NoAnswerError(RuntimeError):
    """No way gave an answer; raised from the last one's error.

    Attributes
    ----------
    failures : tuple of Failure
        In order.
    """

    def __init__(self, failures: tuple[Failure, ...]) -> None:
        super().__init__(failures)  # so that it can be sent to another process
        self.failures = failures

    def __str__(self) -> str:
        told = ", ".join(f"{each.name} ({each.category})" for each in self.failures)
        return f"none of these answers: {told}."


def first_answer(
    ways: Mapping[str, Callable[[], T]], *, categorise: Categorise = categorise
) -> Answer[T]:
    """Try one way after the other, until one answers.

    An `Exception` of any kind leads to the next way, but where the deadline in force has passed
    no other is tried, for nobody waits any more.

    Parameters
    ----------
    ways : mapping of str to callable
        By name, in order; at least one.
    categorise : callable
        Gives the category of an error.

    Raises
    ------
    NoAnswerError
    ValueError
        Where there is no way.

    Examples
    --------
    >>> answer = first_answer({"mean": lambda: 1 / 0, "median": lambda: 2})
    >>> answer.value, answer.answered_by, [str(each.category) for each in answer.failures]
    (2, 'median', ['fatal'])
    """
    failures = list[Failure]()
    for name, way in _checked(ways).items():
        try:
            return Answer(value=way(), answered_by=name, failures=tuple(failures))
        except Exception as error:  # noqa: BLE001  # whatever it is, it is told
            failures.append(Failure(name=name, category=categorise(error), error=error))
        if remaining() == 0:
            break
    raise NoAnswerError(tuple(failures)) from failures[-1].error


async def afirst_answer(
    ways: Mapping[str, Callable[[], Awaitable[T]]], *, categorise: Categorise = categorise
) -> Answer[T]:
    """Try and await one way after the other, until one answers; as `first_answer`."""
    failures = list[Failure]()
    for name, way in _checked(ways).items():
        try:
            return Answer(value=await way(), answered_by=name, failures=tuple(failures))
        except Exception as error:  # noqa: BLE001  # as above
            failures.append(Failure(name=name, category=categorise(error), error=error))
        if remaining() == 0:
            break
    raise NoAnswerError(tuple(failures)) from failures[-1].error


def _checked(ways: Mapping[str, T]) -> Mapping[str, T]:
    if not ways:
        raise ValueError("ways must hold at least one.")
    return ways
