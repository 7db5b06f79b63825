"""A notebook as it is edited: a py:percent file and its ``.ipynb`` twin without outputs."""

import hashlib
from pathlib import Path
from typing import Any

from nextcall.files import atomic_path
from nextcall.runs.parameters import Parameter, declared

_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
_FORMATS = "ipynb,py:percent"


class NotebookError(RuntimeError):
    """A cell of a notebook raised; the message names the cell and the error."""


def read_notebook(path: Path) -> Any:
    """Read a notebook, ``.py`` or ``.ipynb``; cell ids follow from what the cells say.

    Returns
    -------
    nbformat.NotebookNode
        Its cells, for the kernel ``python3``; no outputs.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    """
    import jupytext  # noqa: PLC0415  # 0.4 s, for those who run notebooks only

    notebook = jupytext.read(path)
    notebook.metadata = {"jupytext": {"formats": _FORMATS}, "kernelspec": dict(_KERNEL)}
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[digest] = seen.get(digest, 0) + 1
        cell["id"] = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def declared_parameters(path: Path) -> dict[str, Parameter]:
    """Read what a notebook declares in its one cell tagged ``parameters``.

    Raises
    ------
    ValueError
        Where there is not exactly one such cell, where it holds anything but
        ``name: type = literal``, or where ``seed`` or ``out`` is not among them: names the file,
        the line of the cell and the rule.
    """
    cells = [
        cell for cell in read_notebook(path).cells if "parameters" in cell.metadata.get("tags", [])
    ]
    if len(cells) != 1:
        raise ValueError(f"{path}: one cell must be tagged parameters, got {len(cells)}.")
    try:
        parameters = declared(cells[0].source)
    except ValueError as error:
        raise ValueError(f"{path}: parameters cell, {error}") from error
    for name, annotation in (("seed", "int"), ("out", "str")):
        if name not in parameters or parameters[name].annotation != annotation:
            raise ValueError(f"{path}: parameters cell must declare `{name}: {annotation}`.")
    return parameters


def is_fresh(py: Path, ipynb: Path) -> bool:
    """Whether a twin holds the same cells, by kind, source and tags; outputs do not count."""
    return ipynb.is_file() and _cells(py) == _cells(ipynb)


def has_outputs(ipynb: Path) -> bool:
    """Whether a notebook file carries outputs or execution counts, which are never committed."""
    import nbformat  # noqa: PLC0415  # as above

    return any(
        cell.get("outputs") or cell.get("execution_count")
        for cell in nbformat.read(ipynb, as_version=4).cells
    )


def write_twin(py: Path) -> Path:
    """Write the ``.ipynb`` beside a ``.py``, without outputs; the same cells give the same bytes.

    Returns
    -------
    Path
        The file written.
    """
    import nbformat  # noqa: PLC0415  # as above

    twin = py.with_suffix(".ipynb")
    with atomic_path(twin) as temporary:
        nbformat.write(read_notebook(py), temporary)
    return twin


def _cells(path: Path) -> list[tuple[str, str, list[str]]]:
    return [
        (cell.cell_type, cell.source, cell.metadata.get("tags", []))
        for cell in read_notebook(path).cells
    ]
