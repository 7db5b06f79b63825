"""The default progress of every library function: none."""

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.progress import Progress, silent

_SILENT: Progress = silent  # mypy holds it against the protocol


@given(st.lists(st.integers()))
def test_silence_yields_what_it_is_given(items: list[int]) -> None:
    assert list(silent(items, description="Reading", total=len(items))) == items


def test_silence_is_lazy_and_silent(capsys: pytest.CaptureFixture[str]) -> None:
    def ask() -> list[int]:
        raise RuntimeError("asked too early")

    shown = silent((number for number in iter(ask, [])), description="Reading")
    assert inspect.isgenerator(shown)
    with pytest.raises(RuntimeError, match="asked too early"):
        next(shown)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
