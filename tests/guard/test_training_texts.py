"""Texts to learn from: others' as they are, our own, and mixtures whose parts are known."""

import json
from pathlib import Path

import numpy as np
import pytest

from nextcall.guard.signatures import FAMILIES
from nextcall.guard.training_texts import (
    BENIGN,
    LabelledText,
    is_mere_words,
    mixed_texts,
    own_texts,
    read_labelled,
)


def test_lines_are_read_and_sources_joined(tmp_path: Path) -> None:
    rows = [
        {"text": "a", "label": "benign", "source": "Set:train"},
        {"text": "b", "label": "xss", "source": "Set:test part"},
        {"text": "c", "label": "pii", "source": "Other |X"},
        {"text": "d", "label": "sqli", "source": "Other |Y"},
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    read = read_labelled(path)
    assert [(row.text, row.source, row.own) for row in read] == [
        ("a", "Set", False),
        ("b", "Set", False),
        ("d", "Other", False),
    ]
    path.write_text('{"text": "a"}\n')
    with pytest.raises(ValueError, match=r"rows\.jsonl:1: text, label and source must be there"):
        read_labelled(path)


def test_own_texts_are_of_every_label_and_each_once() -> None:
    rows = own_texts(np.random.default_rng(3), injections=60, payloads=200, benign=60)
    assert {row.label for row in rows} == {*FAMILIES, BENIGN}
    assert len({row.text for row in rows}) == len(rows) <= 320
    assert all(row.own for row in rows)


def test_the_same_seed_gives_the_same_texts() -> None:
    one, other = (
        own_texts(np.random.default_rng(4), injections=20, payloads=20, benign=20) for _ in range(2)
    )
    assert one == other


def test_mixtures_hold_their_attack() -> None:
    attacks = [LabelledText(text=f"<<{family}>>", label=family, source="s") for family in FAMILIES]
    hosts = [LabelledText(text="show my orders", label=BENIGN, source="s")]
    rng = np.random.default_rng(5)
    mixed = mixed_texts(attacks + hosts, rng, payloads=80, values=20, injections=20, pairs=5)
    assert len(mixed) == 125
    for row in mixed:
        assert row.own
        held = [family for family in FAMILIES if f"<<{family}>>" in row.text]
        assert held == ([] if row.label == BENIGN else [row.label])
    assert {row.label for row in mixed} == {*FAMILIES, BENIGN}


@pytest.mark.parametrize(
    ("text", "label", "mere"),
    [
        ("id", "cmdi", True),
        ("Same effect with", "xss", True),
        ("; id", "cmdi", False),
        ("id", BENIGN, False),
        ("forget all that", "prompt_injection", False),
    ],
)
def test_payloads_without_a_sign_are_mere_words(*, text: str, label: str, mere: bool) -> None:
    assert is_mere_words(LabelledText(text=text, label=label, source="s")) == mere
