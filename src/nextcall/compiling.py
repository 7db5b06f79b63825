"""Plain loops over arrays, compiled by numba: the one place that says how."""

from collections.abc import Callable
from ctypes import c_double, c_float, c_uint8
from typing import Any, Literal, ParamSpec, Protocol, TypeVar, cast

import numpy as np
from numba import njit, types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

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
    *, any_order: bool = False, hold_lock: bool = False, into_callers: bool = False
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
    into_callers : bool
        Whether the code is copied into each kernel that calls it: for what takes less time than
        handing it its arguments and their answers.

    Examples
    --------
    >>> @compiled()
    ... def twice(value: int) -> int:
    ...     return 2 * value
    >>> twice(21)
    42
    """
    fastmath = {"reassoc", "contract"} if any_order else False
    inline: Literal["always", "never"] = "always" if into_callers else "never"

    def compile_function(function: Callable[P, R_co]) -> Kernel[P, R_co]:
        try:
            kernel = njit(cache=True, nogil=not hold_lock, fastmath=fastmath, inline=inline)(
                function
            )
        except RuntimeError:  # there is no folder to keep code in
            kernel = njit(nogil=not hold_lock, fastmath=fastmath, inline=inline)(function)
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


def floats_at(address: int, length: int) -> NDArray[np.float64]:
    """Give the floats at an address without a copy; within a kernel, a bare pointer to them.

    To hand a kernel an integer takes less time than to hand it an array, and to pass on a pointer
    less than an array. The caller keeps the memory alive, and indices within it.

    Examples
    --------
    >>> values = np.array([1.0, 2.0, 3.0])
    >>> floats_at(values.ctypes.data, 2)
    array([1., 2.])
    """
    return np.ctypeslib.as_array((c_double * length).from_address(int(address)))


def singles_at(address: int, length: int) -> NDArray[np.float32]:
    """Give the floats of four bytes at an address, as `floats_at` does."""
    return np.ctypeslib.as_array((c_float * length).from_address(int(address)))


def bytes_at(address: int, length: int) -> NDArray[np.uint8]:
    """Give the bytes at an address, as `floats_at` does."""
    return np.ctypeslib.as_array((c_uint8 * length).from_address(int(address)))


def _pointer_to(item: Any) -> Any:
    @intrinsic
    def pointer(_: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return types.CPointer(item)(address), generate

    return pointer


_floats, _singles = _pointer_to(types.float64), _pointer_to(types.float32)
_bytes = _pointer_to(types.uint8)


@overload(floats_at)
def _floats_at(address: Any, length: Any) -> Any:  # noqa: ARG001  # numba asks for these names
    def at(address: Any, length: Any) -> Any:  # noqa: ARG001
        return _floats(address)

    return at


@overload(singles_at)
def _singles_at(address: Any, length: Any) -> Any:  # noqa: ARG001
    def at(address: Any, length: Any) -> Any:  # noqa: ARG001
        return _singles(address)

    return at


@overload(bytes_at)
def _bytes_at(address: Any, length: Any) -> Any:  # noqa: ARG001
    def at(address: Any, length: Any) -> Any:  # noqa: ARG001
        return _bytes(address)

    return at
