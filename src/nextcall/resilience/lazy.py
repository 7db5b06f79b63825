"""Values that are made when they are first asked for, from others that are made so too."""

import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Generic, TypeVar

T = TypeVar("T")

_ASKING = threading.Lock()


class CycleError(RuntimeError):
    """Values need each other to be made."""


class _Place:
    """A value, among those that are being made."""

    __slots__ = ("asks", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.asks: _Place | None = None  # while it is made: for what it waits

    def ask(self, other: "_Place") -> None:
        """Note what this waits for, unless that waits for this."""
        with _ASKING:
            names, each = [self.name], other
            while each is not self and each.asks is not None:
                names.append(each.name)
                each = each.asks
            if each is self:
                raise CycleError(f"needs itself to be made: {' -> '.join([*names, self.name])}.")
            self.asks = other


_MAKING: ContextVar[_Place | None] = ContextVar("making", default=None)


class Lazy(Generic[T]):
    """A value of a program, made once, when it is first asked for.

    For one that belongs to an object, and needs no lock, there is `functools.cached_property`.
    Threads share it: one makes the value, the others wait. An error is not kept. What `make` asks
    other values of this kind for is made first; a circle of them is told, also where two threads
    enter it from two sides.

    Parameters
    ----------
    name : str
        For the error that names a circle.
    make : callable
        Makes the value.

    Raises
    ------
    CycleError
        By the call, where the value needs itself.

    Examples
    --------
    >>> words = Lazy("words", lambda: ["get", "list"])
    >>> count = Lazy("count", lambda: len(words()))
    >>> count()
    2
    """

    def __init__(self, name: str, make: Callable[[], T]) -> None:
        self._place, self._make = _Place(name), make
        self._made: tuple[T] | None = None
        self._lock = threading.RLock()

    def __call__(self) -> T:
        """Give the value."""
        if self._made is not None:
            return self._made[0]
        asker = _MAKING.get()
        if asker is not None:
            asker.ask(self._place)
        try:
            return self._value()
        finally:
            if asker is not None:
                asker.asks = None

    def _value(self) -> T:
        with self._lock:
            if self._made is None:
                token = _MAKING.set(self._place)
                try:
                    self._made = (self._make(),)
                finally:
                    _MAKING.reset(token)
            return self._made[0]
