"""An experiment file is read strictly: every fault is named with file, key and rule."""

from pathlib import Path

import pytest

from nextcall.runs.experiment import load_experiment

TABLE = "metric: n, systems: {a: A}, sets: {a: A}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "count.py").write_text("# %%\n")
    (tmp_path / "count.txt").write_text("")
    (tmp_path / "experiments").mkdir()
    return tmp_path / "experiments" / "count.yaml"


def test_everything_that_is_written_is_read(file: Path) -> None:
    file.write_text(
        "{notebook: count.py, question: 'How\n  many?', parameters: {n: 3}, smoke: {n: 1},"
        " data: [a.csv], figures: {n: Count}, table: {metric: n, systems: {a: A}, sets: {x: X}}}"
    )
    experiment = load_experiment(file)
    assert experiment.name == "count"
    assert experiment.root == file.parent.parent
    assert experiment.notebook_path == file.parent.parent / "count.py"
    assert experiment.question == "How many?"
    assert experiment.parameters == {"n": 3}
    assert experiment.smoke == {"n": 1}
    assert experiment.data == ("a.csv",)
    assert experiment.figures == {"n": "Count"}
    assert experiment.table is not None
    assert experiment.table.systems == {"a": "A"}
    assert not experiment.table.picture


def test_only_notebook_and_question_are_needed(file: Path) -> None:
    file.write_text("{notebook: count.py, question: Count}")
    experiment = load_experiment(file)
    assert (experiment.parameters, experiment.data, experiment.table) == ({}, (), None)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[1", "must be YAML"),
        ("- 1", "must be a mapping of keys, got list"),
        ("{question: Q}", "notebook must be given"),
        ("{notebook: count.py}", "question must be given"),
        ("{notebook: count.py, question: ' '}", "question must be a text that is not empty"),
        ("{notebook: 3, question: Q}", "notebook must be a text, got 3"),
        ("{notebook: gone.py, question: Q}", "notebook must exist, got 'gone.py'"),
        ("{notebook: count.txt, question: Q}", "notebook must be a .py file, got 'count.txt'"),
        ("{notebook: count.py, question: Q, seeds: 1}", "no other keys, got seeds"),
        ("{notebook: count.py, question: Q, parameters: [1]}", "parameters must be a mapping"),
        ("{notebook: count.py, question: Q, parameters: {1: 2}}", "parameters must be a mapping"),
        ("{notebook: count.py, question: Q, smoke: {out: x}}", "smoke must leave `out`"),
        ("{notebook: count.py, question: Q, data: a.csv}", "data must be a list of texts"),
        ("{notebook: count.py, question: Q, data: [1]}", "data must be a list of texts"),
        ("{notebook: count.py, question: Q, figures: {a: 1}}", "figures must be a mapping of res"),
        ("{notebook: count.py, question: Q, table: {systems: {a: A}}}", "table.metric must be"),
        ("{notebook: count.py, question: Q, table: {metric: n, sets: {a: A}}}", "table.systems"),
        ("{notebook: count.py, question: Q, table: {" + TABLE + ", x: 1}}", "got table.x"),
    ],
)
def test_a_fault_is_named_with_its_file_and_key(file: Path, text: str, fault: str) -> None:
    file.write_text(text)
    with pytest.raises(ValueError, match=fault) as caught:
        load_experiment(file)
    assert str(caught.value).startswith(str(file))


def test_a_file_of_another_kind_is_refused(file: Path) -> None:
    with pytest.raises(ValueError, match=r"must be a \.yaml file"):
        load_experiment(file.with_suffix(".json"))
