import numpy as np
import pandas as pd
import pytest

from nextcall.abtest.analysis import analyze
from nextcall.abtest.metrics import Mean, Metric, Proportion, Ratio


def told(events: tuple[int, int], n: int = 200) -> list[str]:
    rows = pd.DataFrame({"variant": np.repeat(["A", "B"], n)})
    rows["bought"] = np.concatenate([np.arange(n) < each for each in events])
    found = analyze(rows, control="A", metrics=[Proportion("bought")])
    return [text for text in found.comparisons[0].warnings if "the event" in text]


@pytest.mark.parametrize("events", [(0, 0), (4, 4), (8, 0), (100, 90), (196, 196), (200, 200)])
def test_enough_events_or_none_at_all_need_no_word_of_events(events: tuple[int, int]) -> None:
    assert told(events) == []


@pytest.mark.parametrize(
    ("events", "word"),
    [
        ((1, 0), "1 units have the event"),
        ((3, 4), "7 units have the event"),
        ((198, 195), "7 units lack the event"),
    ],
)
def test_next_to_no_events_are_told(events: tuple[int, int], word: str) -> None:
    (text,) = told(events)
    assert text.startswith(f"{word}, below 8: intervals are wider than said")


@pytest.mark.parametrize("events", [(0, 200), (200, 200), (0, 0)])
def test_a_test_that_is_made_is_not_told_to_be_impossible(events: tuple[int, int]) -> None:
    rows = pd.DataFrame({"variant": np.repeat(["A", "B"], 200)})
    rows["bought"] = np.concatenate([np.arange(200) < each for each in events])
    (found,) = analyze(rows, control="A", metrics=[Proportion("bought")]).comparisons
    assert found.pvalue <= 1
    assert found.warnings == ()
    (single,) = analyze(rows.iloc[199:], control="A", metrics=[Proportion("bought")]).comparisons
    assert not any("no test" in text for text in single.warnings)


@pytest.mark.parametrize(
    ("metric", "word"),
    [
        (Mean("spent"), "no unit differs from another within its variant"),
        (Ratio("spent", "visits"), "the denominators of B sum to 0"),
    ],
)
def test_where_no_test_can_be_made_it_is_told_why(metric: Metric, word: str) -> None:
    rows = pd.DataFrame({"variant": np.repeat(["A", "B"], 20), "spent": 3.0})
    rows["visits"] = np.where(rows["variant"] == "A", np.arange(40) + 1, 0)
    (found,) = analyze(rows, control="A", metrics=[metric]).comparisons
    assert found.outcome == "unknown"
    assert f"{word}: no test can be made" in found.warnings
