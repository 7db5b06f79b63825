"""How calls of language models fail: which kind it is, and whether it may have cost something."""

import ssl
from collections.abc import Iterator
from json import JSONDecodeError
from typing import Final

from nextcall.resilience.breaker import BreakerOpenError
from nextcall.resilience.categories import categorise
from nextcall.resilience.category import Category

_CLIENTS: Final = frozenset({"openai", "anthropic"})
_NOBODY_REACHED: Final = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})
_TIMEOUTS: Final = frozenset({"APITimeoutError", "TimeoutException"})


class UnreadableAnswerError(RuntimeError):
    """What came back is no answer of the protocol."""

    category: Final = Category.TRANSIENT


class FailedCallError(RuntimeError):
    """A call failed; raised from the client's error, whose text it leaves out.

    A vendor's text may repeat what was asked, or part of a key.

    Attributes
    ----------
    category : Category
    retry_after : float, optional
        Seconds that the other side wants to be left alone.
    """

    def __init__(self, category: Category, retry_after: float | None = None) -> None:
        super().__init__(category, retry_after)  # so that it can be sent to another process
        self.category, self.retry_after = category, retry_after

    def __str__(self) -> str:
        return f"the call of a language model failed ({self.category})."


def category_of(error: BaseException) -> Category:
    """Give the category of an error of a vendor's client, or of any other.

    The clients are known by the names of their errors, and not imported.

    Examples
    --------
    >>> str(category_of(UnreadableAnswerError())), str(category_of(TimeoutError()))
    ('transient', 'network')
    """
    return categorise(error, rules=(_of_clients,))


def is_timeout(error: BaseException) -> bool:
    """Say whether no answer came in time.

    Examples
    --------
    >>> is_timeout(TimeoutError()), is_timeout(ConnectionRefusedError())
    (True, False)
    """
    return any(
        isinstance(each, TimeoutError) or _names(each) & _TIMEOUTS for each in _with_causes(error)
    )


def may_have_cost(error: BaseException) -> bool:
    """Say whether the provider may count the call, though it gave no answer.

    It does not where nobody was asked or reached, where what was asked could not be sent, and
    where the answer was an HTTP error.

    Examples
    --------
    >>> may_have_cost(TimeoutError()), may_have_cost(ConnectionRefusedError())
    (True, False)
    """
    return category_of(error) is not Category.VALIDATION and not any(
        isinstance(each, BreakerOpenError | ConnectionRefusedError)
        or _names(each) & _NOBODY_REACHED
        or _status(each) >= 400
        for each in _with_causes(error)
    )


def _of_clients(error: Exception) -> Category | None:
    if isinstance(error, JSONDecodeError):
        return Category.TRANSIENT  # what was answered, not what was asked
    if type(error).__module__.partition(".")[0] not in _CLIENTS:
        return None
    if _status(error) == 402:
        return Category.AUTHENTICATION  # the account is empty
    names = _names(error)
    if "APIConnectionError" in names:
        certificate = any(isinstance(each, ssl.CertificateError) for each in _with_causes(error))
        return Category.FATAL if certificate else Category.NETWORK
    return Category.TRANSIENT if "APIResponseValidationError" in names else None


def _status(error: BaseException) -> int:
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else 0


def _names(error: BaseException) -> frozenset[str]:
    return frozenset(each.__name__ for each in type(error).__mro__)


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    seen = set[int]()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        yield each
        seen.add(id(each))
        each = each.__cause__ or each.__context__
