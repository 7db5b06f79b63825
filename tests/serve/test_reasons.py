"""The sentence says what the trees say."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.serve.reasons import ASPECTS, reasoning

N = len(FEATURE_NAMES)


def test_aspects_speak_of_each_feature_once() -> None:
    named = [name for names in ASPECTS.values() for name in names]
    assert sorted(named) == sorted(FEATURE_NAMES)


@given(arrays(np.float64, N + 1, elements=st.floats(-5, 5)))
def test_it_names_the_aspects_that_raised_the_score_most(added: np.ndarray) -> None:
    of = dict(zip(FEATURE_NAMES, added, strict=False))
    sums = {
        aspect: sum(float(of[name]) for name in FEATURE_NAMES if name in names)
        for aspect, names in ASPECTS.items()
    }
    sentence = reasoning(FEATURE_NAMES, added)
    said = [aspect for aspect in sums if f"{aspect} (" in sentence]
    raised = sorted((value for value in sums.values() if value > 0), reverse=True)[:3]
    assert sorted((sums[aspect] for aspect in said), reverse=True) == raised
    figures = [float(value) for value in re.findall(r"\(([+-][\d.]+)\)", sentence)]
    np.testing.assert_allclose(figures, raised, atol=0.0051)


def test_where_nothing_raised_it_the_sentence_says_so() -> None:
    assert reasoning(FEATURE_NAMES, np.full(N + 1, -1.0)).startswith("Nothing raised its score")


def test_a_feature_of_no_aspect_speaks_for_itself() -> None:
    assert "moon_phase (+2.00)" in reasoning(["moon_phase"], np.array([2.0, 0.0]))
