"""A quick look, against the long way: the same risks to the last bit, or none."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.guard import glance, grams, marks, plain_text, plain_words
from nextcall.guard.features import AMOUNT_EDGES, FIRST_AMOUNT, TRAITS, text_features
from nextcall.guard.glance import Glance
from nextcall.guard.grams import GRAMS
from nextcall.guard.guard import Guard, packaged_guard_model
from nextcall.locations import shared_dir

_BENIGN = Path(__file__).parents[1] / "data" / "benign_prompts.txt"
_MODEL = packaged_guard_model()
_GLANCE = Glance(_MODEL)


def _long_way(text: str) -> list[float]:
    risks: list[float] = _MODEL.risks(_MODEL.scores(text_features(text))).tolist()
    return risks


def _risks(text: str, glance: Glance = _GLANCE) -> list[float] | None:
    glimpse = glance.look(text)
    return None if glimpse is None or glimpse.found else glimpse.risks


def _prompts() -> list[str]:
    return _BENIGN.read_text(encoding="utf-8").splitlines()


@given(
    st.text(st.characters(max_codepoint=127), max_size=80)
    | st.lists(st.sampled_from([*" '\"()=?.,\n_", "Delete ", "all ", "users ", "a", "7"])).map(
        "".join
    )
    | st.text(max_size=20)
)
def test_risks_are_those_of_the_long_way_or_none(text: str) -> None:
    risks = _risks(text)
    assert risks is None or risks == _long_way(text)


def test_most_harmless_prompts_need_no_more() -> None:
    prompts = _prompts()
    known = [text for text in prompts if _risks(text) is not None]
    assert len(known) > 0.8 * len(prompts)
    assert [_risks(text) for text in known] == [_long_way(text) for text in known]
    assert not any(text_features(text).found for text in known)


def test_shared_attacks_have_the_risks_of_the_long_way() -> None:
    file = shared_dir() / "data/guard/guard_shared.jsonl"
    if not file.exists():
        pytest.skip("the shared evaluation data is not here; NEXTCALL_SHARED names its folder")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    texts = [row["text"] for row in rows]
    told = [(text, risks) for text in texts if (risks := _risks(text[:8000])) is not None]
    assert len(told) > 100
    assert all(risks == _long_way(text[:8000]) for text, risks in told)


@pytest.mark.parametrize(
    "text", ["'; drop table users; --", "<b onclick=alert(1)>", "configure the config or 1=1 --"]
)
def test_signatures_are_those_of_the_long_way(text: str) -> None:
    glimpse = _GLANCE.look(text)
    assert glimpse is not None
    assert glimpse.found == text_features(text).found != []


@pytest.mark.parametrize("text", ["%41", "caf\u00e9", "'; drop table users; --", "0x2e", "x" * 20])
def test_other_texts_get_none(text: str) -> None:
    assert _risks(text) is None


def test_a_guard_finds_the_same_with_any_threshold() -> None:
    strict, usual = Guard(threshold=1e-4), Guard()
    for text in _prompts()[:100]:
        verdicts = strict.detect(text), usual.detect(text)
        assert [list(one.labels.values()) for one in verdicts] == [_long_way(text)] * 2
        assert [bool(one.reasons) for one in verdicts] == [one.is_injection for one in verdicts]


def test_another_model_has_its_own_risks() -> None:
    other = replace(_MODEL, intercepts=_MODEL.intercepts + 1)
    text = "list all users"
    expected = other.risks(other.scores(text_features(text))).tolist()
    assert _risks(text, Glance(other)) == expected != _risks(text)


def test_traits_of_amounts_lie_one_after_the_other() -> None:
    edges = [edge for edges in AMOUNT_EDGES for edge in edges]
    names = TRAITS[FIRST_AMOUNT - GRAMS :][: len(edges)]
    assert [name.rpartition(" from ")[2] for name in names] == [str(edge) for edge in edges]


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the loops as they are written."""
    for module in (glance, grams, marks, plain_text, plain_words):
        for name in [name for name, one in vars(module).items() if hasattr(one, "py_func")]:
            monkeypatch.setattr(module, name, getattr(module, name).py_func)


@pytest.mark.usefixtures("uncompiled")
def test_the_loops_say_the_same_uncompiled() -> None:
    for text in ("", "users", "Cancel my 2 orders (the last), it's urgent?", "rm -r /tmp", "%"):
        held, risks = bytearray(99), np.empty(5)
        curves = np.stack([_MODEL.intercepts, _MODEL.thresholds, _MODEL.slopes])
        look = (text.encode(), glance._tables(), _MODEL.weights, curves)
        number = glance.look(*look, held, risks)
        compiled, exact = bytearray(99), np.empty(5)
        assert glance._look()(*look, compiled, exact) == number
        assert held == compiled
        assert number == -1 or risks.tolist() == pytest.approx(exact.tolist(), rel=1e-12)
