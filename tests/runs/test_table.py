"""The table of results against a plain reading of the results."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.runs.experiment import ResultTable
from nextcall.runs.table import markdown_table, table_rows


def test_a_table_without_results_is_dashes() -> None:
    table = ResultTable(metric="mrr", systems={"a": "A"}, sets={"x": "X", "y": "Y"})
    assert table_rows(table, {}) == [["A", "-", "-"]]


def test_the_interval_stands_outside_the_mark() -> None:
    table = ResultTable(metric="mrr", systems={"a": "A"}, sets={"x": "X"})
    result = {"x.a.mrr": 0.5, "x.a.mrr.low": 0.25, "x.a.mrr.high": 0.75}
    assert table_rows(table, result, mark="*") == [["A", "*0.500* [0.250, 0.750]"]]


@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abc"), st.sampled_from("xy")),
        st.integers(0, 1000).map(lambda n: n / 1000),
        min_size=1,
    )
)
def test_the_bold_values_are_the_best_of_their_columns(
    values: dict[tuple[str, str], float],
) -> None:
    systems = {system: system.upper() for system, _ in values}
    sets = {part: part.upper() for _, part in values}
    result = {f"{part}.{system}.mrr": value for (system, part), value in values.items()}
    text = markdown_table(ResultTable(metric="mrr", systems=systems, sets=sets), result)
    head, _, *rows = [line.strip("| ").split(" | ") for line in text.splitlines()]
    assert head == list(sets.values())
    assert [row[0] for row in rows] == list(systems.values())
    for column, part in enumerate(sets, start=1):
        best = max(value for (_, other), value in values.items() if other == part)
        for row, system in zip(rows, systems, strict=True):
            value = values.get((system, part))
            expected = "-" if value is None else f"{value:.3f}"
            assert row[column] == (f"**{expected}**" if value == best else expected)


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        (
            ResultTable(metric="mrr", systems={"a": "A", "c": "C"}, sets={"x": "X"}),
            "table.systems must have results of mrr, 'c' has none",
        ),
        (
            ResultTable(metric="mrr", systems={"a": "A"}, sets={"x": "X", "y": "Y"}),
            "table.sets must have results of mrr, 'y' has none",
        ),
    ],
)
def test_a_row_or_column_without_any_result_is_refused(table: ResultTable, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        markdown_table(table, {"x.a.mrr": 0.5})
