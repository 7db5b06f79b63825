"""What kind of failure an error is."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from nextcall.resilience.category import Category
from nextcall.resilience.known_errors import (
    CLASSES,
    ERROR_NUMBERS,
    SQL_CLASSES,
    SQL_STATES,
    SQLITE_CODES,
    STATUSES,
)
from nextcall.resilience.retry_after import header_of

Rule: TypeAlias = Callable[[Exception], Category | None]
"""Knows the category of some errors, and gives None for the others."""

Categorise: TypeAlias = Callable[[BaseException], Category]
"""Gives a category to every error: `categorise`, or a `functools.partial` of it with rules."""


def categorise(error: BaseException, *, rules: Sequence[Rule] = ()) -> Category:
    """Give the category of an error.

    The first of these that knows: `rules`; the error's own attribute `category`; the status of an
    HTTP answer; the state or code of a database; the class; ``errno``; then all of them for the
    error that this one was raised from, or holds. What nobody knows is fatal, and so is what is
    no `Exception`, such as a cancelled task.

    Parameters
    ----------
    error : BaseException
    rules : sequence of callable
        For errors of other libraries, or of another opinion.

    Examples
    --------
    >>> str(categorise(ConnectionRefusedError())), str(categorise(KeyError("a")))
    ('network', 'fatal')
    >>> str(categorise(KeyError("a"), rules=[lambda error: Category.VALIDATION]))
    'validation'
    """
    for asked in _with_causes(error):
        if not isinstance(asked, Exception):
            break
        for rule in (*rules, _own, _by_status, _by_database, _by_class, _by_number):
            if (category := rule(asked)) is not None:
                return category
    return Category.FATAL


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    """Give an error, that which it was raised from or holds, and so on; there may be a circle."""
    seen = set[int]()
    asked: BaseException | None = error
    while asked is not None and id(asked) not in seen:
        yield asked
        seen.add(id(asked))
        held = (each for each in asked.args if isinstance(each, BaseException))
        asked = asked.__cause__ or next(held, None)


def _own(error: Exception) -> Category | None:
    category = getattr(error, "category", None)
    return category if isinstance(category, Category) else None


def _by_status(error: Exception) -> Category | None:
    status = getattr(error, "status_code", None)
    if status is None:
        status = getattr(getattr(error, "response", None), "status_code", None)
    if not isinstance(status, int) or not 300 <= status <= 599:
        return None
    if status == 403 and header_of(error, "retry-after") is not None:
        return Category.API_LIMIT  # as GitHub says it
    if status < 400:
        return Category.FATAL  # nobody followed it
    return STATUSES.get(status, Category.VALIDATION if status < 500 else Category.TRANSIENT)


def _by_database(error: Exception) -> Category | None:
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return SQL_STATES.get(state, SQL_CLASSES.get(state[:2], Category.FATAL))
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(code, int):
        return SQLITE_CODES.get(code & 0xFF, Category.FATAL)
    return None


def _by_class(error: Exception) -> Category | None:
    found = _nearest(error)
    if found is Category.NETWORK and any(
        _nearest(each) is Category.FATAL for each in _with_causes(error)
    ):
        return Category.FATAL  # somebody was reached, who is not who it should be
    return found


def _nearest(error: BaseException) -> Category | None:
    for each in type(error).__mro__:
        package = each.__module__.partition(".")[0]
        if (category := CLASSES.get(f"{package}.{each.__name__}")) is not None:
            return category
    return None


def _by_number(error: Exception) -> Category | None:
    number = error.errno if isinstance(error, OSError) else None
    return None if number is None else ERROR_NUMBERS.get(number)
