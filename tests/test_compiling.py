"""Compiled functions compute what their Python does, with and without a folder for their code."""

from typing import Any

import numpy as np
import pytest
from numba import njit
from numpy.typing import NDArray

from nextcall.compiling import bytes_at, compiled, floats_at, singles_at


def total(values: NDArray[np.float64]) -> float:
    result = 0.0
    for value in values:
        result += value
    return result


@pytest.mark.parametrize("any_order", [False, True])
def test_what_is_compiled_says_what_its_python_says(any_order: bool) -> None:  # noqa: FBT001  # a case
    kernel = compiled(any_order=any_order)(total)
    values = np.random.default_rng(0).normal(size=1_000)
    assert kernel.py_func is total
    assert kernel(values) == pytest.approx(total(values), rel=1e-12)
    if not any_order:
        assert kernel(values) == total(values)


def test_what_is_copied_into_its_callers_says_the_same() -> None:
    part = compiled(into_callers=True)(total)

    def whole(values: NDArray[np.float64]) -> float:
        return 1 + part(values)

    values = np.random.default_rng(0).normal(size=100)
    kernel: Any = njit(whole)
    assert kernel(values) == 1 + total(values)
    assert part(values) == total(values)


def test_without_a_folder_for_code_it_is_compiled_all_the_same() -> None:
    """A function without a file stands for an installation where none may be written."""
    scope: dict[str, object] = {}
    exec("def twice(value):\n    return 2 * value", scope)  # noqa: S102  # of our own making
    assert compiled()(scope["twice"])(21) == 42  # type: ignore[arg-type]


def test_memory_at_an_address_is_read_and_written_alike() -> None:
    def halve(address: int) -> float:
        values, first = floats_at(address, 2), bytes_at(address, 16)
        values[1] /= 2
        singles_at(address + 16, 2)[1] = 0.1
        return float(values[1] + first[0])

    kernel: Any = njit(halve)  # without a cache: compiled each time
    for function in (halve, kernel):
        values = np.array([0.0, 3.0, 0.0])
        values[:1].view(np.uint8)[0] = 7
        assert function(values.ctypes.data) == 8.5
        assert values.tolist()[1] == 1.5
        assert values[2:].view(np.float32).tolist() == [0.0, pytest.approx(0.1)]
