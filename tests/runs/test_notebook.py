"""Notebooks as they are edited: parameters cells and twins."""

import json
from pathlib import Path

import jupytext
import nbformat
import pytest

from nextcall.runs.notebook import declared_parameters, has_outputs, is_fresh, write_twin

PARAMETERS = '# %% tags=["parameters"]\nseed: int = 0\nout: str = "."\n'


@pytest.fixture
def py(tmp_path: Path) -> Path:
    path = tmp_path / "count.py"
    path.write_text(f"# %% [markdown]\n# # Title\n\n{PARAMETERS}\n# %%\n1 + 1\n\n# %%\n1 + 1\n")
    return path


def test_a_twin_is_a_valid_notebook_with_the_same_cells_and_no_outputs(py: Path) -> None:
    twin = write_twin(py)
    notebook = nbformat.read(twin, as_version=4)
    nbformat.validate(notebook)
    assert [cell.source for cell in notebook.cells] == [
        cell.source for cell in jupytext.read(py).cells
    ]
    assert is_fresh(py, twin)
    assert not has_outputs(twin)


def test_the_same_cells_give_the_same_bytes(py: Path) -> None:
    assert write_twin(py).read_bytes() == write_twin(py).read_bytes()


@pytest.mark.parametrize(
    ("old", "new"),
    [("1 + 1", "1 + 2"), ("# # Title", "# # Other"), ('"parameters"', '"other"'), ("# %%\n", "")],
)
def test_a_twin_of_other_cells_is_not_fresh(py: Path, old: str, new: str) -> None:
    twin = write_twin(py)
    py.write_text(py.read_text().replace(old, new, 1))
    assert not is_fresh(py, twin)


def test_a_missing_twin_is_not_fresh(py: Path) -> None:
    assert not is_fresh(py, py.with_suffix(".ipynb"))


def test_outputs_are_seen_and_leave_a_twin_fresh(py: Path) -> None:
    twin = write_twin(py)
    raw = json.loads(twin.read_text())
    raw["cells"][-1]["execution_count"] = 1
    twin.write_text(json.dumps(raw))
    assert has_outputs(twin)
    assert is_fresh(py, twin)


def test_parameters_are_read_from_the_tagged_cell(py: Path) -> None:
    assert list(declared_parameters(py)) == ["seed", "out"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("# %%\n1", "one cell must be tagged parameters, got 0"),
        (PARAMETERS + PARAMETERS, "one cell must be tagged parameters, got 2"),
        (PARAMETERS + "n = 1", "parameters cell, line 3: must read"),
        ('# %% tags=["parameters"]\nseed: int = 0', "must declare `out: str`"),
        ('# %% tags=["parameters"]\nseed: str = ""\nout: str = ""', "must declare `seed: int`"),
    ],
)
def test_a_bad_parameters_cell_is_named_with_its_file(py: Path, text: str, fault: str) -> None:
    py.write_text(text)
    with pytest.raises(ValueError, match=fault) as caught:
        declared_parameters(py)
    assert str(caught.value).startswith(str(py))
