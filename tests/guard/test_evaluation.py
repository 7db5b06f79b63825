"""Figures of risks, counted by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from nextcall.guard.evaluation import share_interval, share_table, summary, threshold_at
from nextcall.guard.signatures import FAMILIES


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0, 0.99))
def test_the_threshold_keeps_its_rate_and_is_the_lowest(risks: list[float], rate: float) -> None:
    threshold = threshold_at(risks, rate=rate)
    assert np.mean(np.array(risks) >= threshold) <= rate
    below = np.nextafter(threshold, -1)
    assert np.mean(np.array(risks) >= below) > rate


@pytest.mark.parametrize(("hits", "number"), [(0, 10), (8, 10), (10, 10), (37, 400)])
def test_intervals_are_those_of_statsmodels(hits: int, number: int) -> None:
    expected = proportion_confint(hits, number, method="wilson")
    assert share_interval(hits, number) == pytest.approx(expected, abs=1e-12)


def test_figures_are_counted() -> None:
    frame = pd.DataFrame(
        {
            "label": ["benign"] * 4 + ["sqli", "sqli", "xss"],
            "source": ["a", "a", "b", "b", "c", "c", "d"],
            "any": [0.1, 0.2, 0.6, 0.3, 0.9, 0.4, 0.7],
        }
    )
    for family in FAMILIES:
        frame[family] = frame["any"]
    figures = summary(frame, rate=0.25)
    assert figures["any.recall"] == 1
    assert figures["shipped.recall"] == pytest.approx(2 / 3)
    assert figures["shipped.precision"] == pytest.approx(2 / 3)
    assert figures["shipped.false_positives"] == 0.25
    assert figures["shipped.worst_source"] == 0.5
    assert np.isnan(figures["cmdi.recall"])
    table = share_table(frame, by=["label", "source"])
    assert table["texts"].tolist() == [2, 2, 2, 1]
    assert table["share"].tolist() == [0, 0.5, 0.5, 1]
    assert (table["from"] <= table["share"] + 1e-12).all()
    assert (table["to"] >= table["share"] - 1e-12).all()


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="rate must lie between 0 and 1, got 1"):
        threshold_at([0.5], rate=1)
    with pytest.raises(ValueError, match="benign must hold at least one risk, got none"):
        threshold_at([], rate=0.1)
    with pytest.raises(ValueError, match="number must be at least 1, got 0"):
        share_interval(0, 0)
