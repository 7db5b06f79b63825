"""Plain loops over arrays, compiled by numba: the one place that says how."""

from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from numba import njit

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class Kernel(Protocol[P, R_co]):
    """A compiled function."""

    @property
    def py_func(self) -> Callable[P, R_co]:
        """What it was compiled from."""
        ...

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Run what was compiled, or compile it at the first call."""
        ...


def compiled(
    *, any_order: bool = False, hold_lock: bool = False
) -> Callable[[Callable[P, R_co]], Kernel[P, R_co]]:
    """Compile a function at its first call, release the interpreter's lock, and keep the code.

    The code lies beside the source, or in the user's cache folder (``NUMBA_CACHE_DIR`` names
    another); where none may be written, each process compiles anew.

    Parameters
    ----------
    any_order : bool
        Whether sums of floats may be taken in any order: several at once, with other rounding.
    hold_lock : bool
        Whether the lock is held: for what takes less time than releasing it.

    Examples
    --------
    >>> @compiled()
    ... def twice(value: int) -> int:
    ...     return 2 * value
    >>> twice(21)
    42
    """
    fastmath = {"reassoc", "contract"} if any_order else False

    def compile_function(function: Callable[P, R_co]) -> Kernel[P, R_co]:
        try:
            kernel = njit(cache=True, nogil=not hold_lock, fastmath=fastmath)(function)
        except RuntimeError:  # there is no folder to keep code in
            kernel = njit(nogil=not hold_lock, fastmath=fastmath)(function)
        return cast("Kernel[P, R_co]", kernel)

    return compile_function


def entry_point(kernel: Kernel[P, R_co], *types: object) -> Callable[P, R_co]:
    """Compile a kernel for given types of arguments (numba's), to be called with no others.

    A call of the kernel looks at the types of its arguments first; this one does not, which saves
    some 200 nanoseconds. It takes arguments by position.

    Examples
    --------
    >>> from numba import int64
    >>> @compiled()
    ... def twice(value: int) -> int:
    ...     return 2 * value
    >>> entry_point(twice, int64)(21)
    42
    """
    return cast("Any", kernel).compile(types)  # type: ignore[no-any-return]
