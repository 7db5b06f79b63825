"""One wide sum of small products, which a compiled loop takes twice the time for.

A plain function, and what numba compiles in its stead: LLVM's own operations on whole vectors,
which it turns into the widest instructions that the processor has.
"""

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

SCANNED_DIMENSIONS: Final = 128
"""Dimensions that are scanned, an even number; known when it is compiled, it is faster."""

_HALF: Final = SCANNED_DIMENSIONS // 2
_BYTE: Final = ir.IntType(8)
_WHOLE: Final = ir.IntType(32)


def product(flat: NDArray[np.uint8], start: np.uint64, query: NDArray[np.int8]) -> int:
    """Multiply one vector of half bytes with a query.

    Parameters
    ----------
    flat : array of shape (n * SCANNED_DIMENSIONS // 2,)
        Vectors as `to_halves` packs them, one after another.
    start : int
        Where the vector begins.
    query : array of shape (SCANNED_DIMENSIONS,)

    Examples
    --------
    >>> flat = np.full(SCANNED_DIMENSIONS // 2, 2 + 16 * 3, dtype=np.uint8)
    >>> product(flat, np.uint64(0), np.ones(SCANNED_DIMENSIONS, dtype=np.int8))
    320
    """
    halves = flat[start : start + np.uint64(_HALF)]
    levels = np.concatenate([halves & 15, halves >> 4])
    return int(levels.astype(np.int32) @ query.astype(np.int32))


def _typed_product(_: Any, flat: Any, start: Any, query: Any) -> Any:  # types of numba and llvmlite
    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        packed = ir.VectorType(_BYTE, _HALF)
        every = ir.VectorType(_BYTE, SCANNED_DIMENSIONS)
        sums = ir.VectorType(_WHOLE, SCANNED_DIMENSIONS)
        data, line = (
            context.make_array(kind)(context, builder, array).data
            for kind, array in zip(signature.args[::2], arguments[::2], strict=True)
        )
        place = builder.bitcast(builder.gep(data, [arguments[1]]), packed.as_pointer())
        both = builder.load(place, align=1)
        factors = builder.load(builder.bitcast(line, every.as_pointer()), align=1)
        low = builder.and_(both, ir.Constant(packed, [15] * _HALF))
        high = builder.lshr(both, ir.Constant(packed, [4] * _HALF))
        side_by_side = ir.Constant(sums, list(range(SCANNED_DIMENSIONS)))
        levels = builder.shuffle_vector(low, high, side_by_side)
        products = builder.mul(builder.zext(levels, sums), builder.sext(factors, sums))
        name = f"llvm.vector.reduce.add.v{SCANNED_DIMENSIONS}i32"
        kind = ir.FunctionType(_WHOLE, [sums])
        add = cgutils.get_or_insert_function(builder.module, kind, name)
        return builder.call(add, [products])

    return types.int32(flat, start, query), write


_product: Any = intrinsic(_typed_product)


@overload(product, inline="always")
def _compiled_product(flat: Any, start: Any, query: Any) -> Any:  # noqa: ARG001  # their types
    def compiled(flat: Any, start: Any, query: Any) -> Any:
        return _product(flat, start, query)

    return compiled
