"""What long work asks of whoever shows its progress."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """Wraps an iterable and shows how far it is; the command line and notebooks pass their own."""

    def __call__(
        self, iterable: Iterable[T], *, description: str, total: int | None = None
    ) -> Iterable[T]:
        """Yield what `iterable` yields; `total` where its length is not known."""
        ...


def silent(
    iterable: Iterable[T],
    *,
    description: str,  # noqa: ARG001  # the protocol's argument
    total: int | None = None,  # noqa: ARG001  # the protocol's argument
) -> Iterator[T]:
    """Show nothing; the default of every library function.

    Examples
    --------
    >>> list(silent([1, 2], description="count"))
    [1, 2]
    """
    yield from iterable
