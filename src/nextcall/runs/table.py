"""Results as the table that an experiment asks for: systems down, sets across."""

from collections.abc import Mapping

from nextcall.runs.experiment import ResultTable
from nextcall.runs.result import format_result


def table_rows(
    table: ResultTable, result: Mapping[str, float], *, mark: str = ""
) -> list[list[str]]:
    """Write one row a system: its label, then its result in each set with the interval.

    Parameters
    ----------
    table : ResultTable
        Which results.
    result : mapping
        Results by name.
    mark : str
        Put around the best value of each column, the highest.

    Returns
    -------
    list of list of str
        A dash where there is no such result.

    Examples
    --------
    >>> table = ResultTable(metric="mrr", systems={"a": "A", "b": "B"}, sets={"x": "X"})
    >>> table_rows(table, {"x.a.mrr": 0.5}, mark="*")
    [['A', '*0.500*'], ['B', '-']]
    """
    best = {
        part: max((result[name] for name in _names(table, part) if name in result), default=None)
        for part in table.sets
    }

    def show(system: str, part: str) -> str:
        name = f"{part}.{system}.{table.metric}"
        if name not in result:
            return "-"
        value, space, interval = format_result(result, name).partition(" ")
        if result[name] == best[part]:
            value = f"{mark}{value}{mark}"
        return value + space + interval

    return [
        [label, *(show(system, part) for part in table.sets)]
        for system, label in table.systems.items()
    ]


def markdown_table(table: ResultTable, result: Mapping[str, float]) -> str:
    """Render results as a Markdown table; the best of each column, the highest, is bold.

    Raises
    ------
    ValueError
        Where a system or a set has no result at all.

    Examples
    --------
    >>> table = ResultTable(metric="mrr", systems={"a": "A", "b": "B"}, sets={"x": "X"})
    >>> print(markdown_table(table, {"x.a.mrr": 0.5, "x.b.mrr": 0.75}))
    |  | X |
    | --- | ---: |
    | A | 0.500 |
    | B | **0.750** |
    """
    for system in table.systems:
        if not any(f"{part}.{system}.{table.metric}" in result for part in table.sets):
            raise ValueError(
                f"table.systems must have results of {table.metric}, {system!r} has none."
            )
    for part in table.sets:
        if not any(name in result for name in _names(table, part)):
            raise ValueError(f"table.sets must have results of {table.metric}, {part!r} has none.")
    lines = [
        ["", *table.sets.values()],
        ["---", *("---:" for _ in table.sets)],
        *table_rows(table, result, mark="**"),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _names(table: ResultTable, part: str) -> list[str]:
    return [f"{part}.{system}.{table.metric}" for system in table.systems]
