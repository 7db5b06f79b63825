"""What the command line shows, on a terminal and elsewhere."""

import io
import math
import re
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.cli import console
from nextcall.cli.console import fail, note, print_frame, print_table, progress
from nextcall.progress import Progress

_SHOWN: Progress = progress  # mypy holds it against the protocol


def _sit_at_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make both standard streams say that they are a terminal, 100 columns wide."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    console._terminal.cache_clear()  # a console reads its width once


def test_a_note_is_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    note("Wrote it.")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "Wrote it.\n")


def test_failing_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        fail("k must be at least 1, got 0.")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: k must be at least 1, got 0.\n"


@given(st.lists(st.integers()))
def test_progress_yields_what_it_is_given(items: list[int]) -> None:
    assert list(progress(items, description="Reading")) == items
    assert list(progress(iter(items), description="Reading", total=len(items))) == items


def test_progress_says_when_it_starts_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    for item in progress(range(1200), description="Reading"):
        if item == 0:
            assert capsys.readouterr().err == "Reading ...\n"
    shown = capsys.readouterr()
    assert shown.out == ""
    assert re.fullmatch(r"Reading: 1,200 in \d+\.\d s\n", shown.err)


def test_progress_claims_no_end_that_was_not_reached(capsys: pytest.CaptureFixture[str]) -> None:
    next(iter(progress([1, 2], description="Reading")))
    assert capsys.readouterr().err == "Reading ...\n"


def test_progress_on_a_terminal_is_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _sit_at_terminal(monkeypatch)
    assert list(progress("abc", description="Reading [bold]")) == list("abc")
    shown = capsys.readouterr().err
    assert "Reading [bold]" in shown  # a description is no markup
    assert "3/3" in shown


def test_a_bar_inside_a_bar_is_drawn(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _sit_at_terminal(monkeypatch)
    for _ in progress([1, 2], description="Folds"):
        assert list(progress(iter("ab"), description="Queries", total=2)) == ["a", "b"]
    shown = capsys.readouterr().err
    assert re.search(r"Folds .* 2/2", shown)
    assert len(re.findall(r"Queries .* 2/2", shown)) >= 2


def test_plain_tables_line_up(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(
        ["ranker", "NDCG@10", "queries", "note"],
        [
            ["BM25", 0.70123, 6400, None],
            ["a longer name", math.nan, np.int64(7), None],
            ["last", np.float32(0.5), 1_000_000, None],
        ],
    )
    shown = capsys.readouterr()
    assert shown.err == ""
    assert shown.out.splitlines() == [
        "ranker         NDCG@10    queries  note",
        "BM25             0.701      6,400     -",
        "a longer name        -          7     -",
        "last             0.500  1,000,000     -",
    ]


def test_a_column_with_words_stands_left(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["place", "right"], [[1, True], ["none", False]])
    assert capsys.readouterr().out.splitlines() == ["place  right", "1      True", "none   False"]


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(
                st.one_of(st.none(), st.booleans(), st.integers(), st.floats()),
                min_size=width,
                max_size=width,
            ),
            min_size=1,
        )
    )
)
def test_every_cell_stands_in_its_line(rows: list[list[object]]) -> None:
    screen = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", screen)
        print_table([f"c{place}" for place in range(len(rows[0]))], rows)
    lines = screen.getvalue().splitlines()
    assert [len(line.split()) for line in lines] == [len(rows[0])] * (len(rows) + 1)


def test_rows_as_long_as_the_columns() -> None:
    with pytest.raises(ValueError, match=r"one cell a column, 2, got 1: \['s3'\]"):
        print_table(["service", "operations"], [["s3"]])


def test_tables_on_a_terminal_show_cells_as_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _sit_at_terminal(monkeypatch)
    print_table(["operation", "score"], [["[bold]s3:List[/bold]", 0.25]])
    shown = capsys.readouterr().out
    assert "[bold]s3:List[/bold]" in shown
    assert "0.250" in shown


def test_a_frame_prints_as_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"service": ["s3", "ec2"], "operations": [110, 1234]}, index=[4, 2])
    print_frame(frame)
    by_frame = capsys.readouterr().out
    print_table(["service", "operations"], [["s3", 110], ["ec2", 1234]])
    assert by_frame == capsys.readouterr().out
