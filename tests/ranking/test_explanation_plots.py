"""What the pictures of single answers show: bars that lead from the constant to the score."""

from itertools import pairwise

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nextcall.ranking.explanation_plots import plot_contrast, plot_waterfall
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.ranker import CallRanker
from nextcall.sessions import calls_of

PROMPT, HISTORY = "delete the user", calls_of(["users:GetUser"])


def _bars(figure: Figure) -> tuple[Axes, list[tuple[float, float]]]:
    """Give the panel, and where each bar begins and ends, from the top down."""
    (panel,) = figure.axes
    return panel, _spans(panel)


def _spans(panel: Axes) -> list[tuple[float, float]]:
    return [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in panel.patches]  # type: ignore[attr-defined]  # rectangles


def _labels(panel: Axes) -> list[str]:
    return [label.get_text() for label in panel.get_yticklabels()]


@pytest.mark.parametrize("rank", [1, 3])
def test_each_bar_begins_where_the_one_above_ends(
    ranker: CallRanker, shop_index: CatalogIndex, rank: int
) -> None:
    answer = ranker.rank(shop_index, PROMPT, HISTORY, k=3)[rank - 1]
    table = ranker.explain(shop_index, PROMPT, HISTORY, k=3)
    panel, spans = _bars(plot_waterfall(table, rank=rank, most=6))
    assert len(spans) == 1 + 6 + 1 + 1  # constant, features, others, score
    for above, below in pairwise(spans[:-1]):
        assert below[0] == pytest.approx(above[1])
    assert spans[-1] == pytest.approx((0, answer.score))
    assert spans[-2][1] == pytest.approx(answer.score)
    labels = _labels(panel)
    assert (labels[0], labels[-1]) == ("any operation", "score")
    assert labels[-2] == f"{len(FEATURE_NAMES) - 6} others"
    assert answer.operation.operation_id in panel.get_title()


def test_all_features_leave_no_others(ranker: CallRanker, shop_index: CatalogIndex) -> None:
    table = ranker.explain(shop_index, PROMPT, HISTORY, k=1)
    panel, spans = _bars(plot_waterfall(table, most=len(FEATURE_NAMES)))
    assert len(spans) == len(FEATURE_NAMES) + 2
    assert not any("others" in label for label in _labels(panel))


def test_a_contrast_ends_at_the_lead(ranker: CallRanker, shop_index: CatalogIndex) -> None:
    first, second = "users:DeleteUser", "orders:CancelOrder"
    for one, other in ((first, second), (second, first)):
        table = ranker.contrast(shop_index, PROMPT, HISTORY, first=one, second=other)
        lead = table["difference"].sum()
        panel, spans = _bars(plot_contrast(table, first=one, second=other, most=4))
        assert spans[0][0] == 0
        assert spans[-1] == pytest.approx((0, lead))
        assert spans[-2][1] == pytest.approx(lead)
        assert f"{'above' if lead > 0 else 'below'} {other}" in panel.get_title()
        differing = [label for label in _labels(panel) if " | " in label]
        assert differing  # both values are shown


def test_what_cannot_be_drawn_is_refused(ranker: CallRanker, shop_index: CatalogIndex) -> None:
    table = ranker.explain(shop_index, PROMPT, k=2)
    with pytest.raises(ValueError, match=r"rank must be one of \[1, 2\], got 3"):
        plot_waterfall(table, rank=3)
    with pytest.raises(ValueError, match="most must be at least 1, got 0"):
        plot_waterfall(table, most=0)
