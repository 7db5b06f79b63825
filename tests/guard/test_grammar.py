"""Templates and texts of them."""

from pathlib import Path

import numpy as np
import pytest

from nextcall.guard import grammar as module
from nextcall.guard.grammar import Grammar, grammar
from nextcall.guard.signatures import FAMILIES


@pytest.mark.parametrize("name", ["injections", "payloads", "benign"])
def test_shipped_templates_leave_no_slot_open(name: str) -> None:
    templates = grammar(name)
    rng = np.random.default_rng(2)
    names = set(templates.slots)
    for _ in range(200):
        label, text = templates.text(rng)
        assert label in {*FAMILIES[1:], name}
        left = {slot for slot in names if f"{{{slot}}}" in text}
        assert not left & {"goal", "shape", "verb", "thing", "tab", "cmd", "js", "topicquestion"}
    assert sum(templates.weights) == pytest.approx(1)


def test_slots_within_slots_are_filled_and_braces_kept() -> None:
    templates = Grammar(slots={"a": ["{b}!"], "b": ["x"]}, templates=[], weights=[])
    rng = np.random.default_rng(0)
    assert templates.fill("{a} {{b}} {c}\\n", rng) == "x! {b} {c}"


def test_slots_that_hold_themselves_end() -> None:
    endless = Grammar(slots={"a": ["({a})"]}, templates=[], weights=[])
    assert len(endless.fill("{a}", np.random.default_rng(0))) < 100


def test_files_are_read_line_by_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FOLDER", tmp_path)
    file = tmp_path / "own.txt"
    file.write_text("# a note\n\nx = 1 | 2\n@3 take {x}\nxss: <{x}>\n")
    templates = grammar("own")
    assert templates.slots == {"x": ["1", "2"]}
    assert templates.templates == [("own", "take {x}"), ("xss", "<{x}>")]
    assert templates.weights == [0.75, 0.25]
    file.write_text("What is this\n")
    with pytest.raises(ValueError, match=r"own\.txt:1: must be a slot or a template"):
        grammar("own")
