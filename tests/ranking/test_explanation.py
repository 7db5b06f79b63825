"""Why one answer has its score, and why it stands above another."""

import numpy as np
import pytest

from nextcall.ranking.explanation import BASE, readable_value
from nextcall.ranking.feature_table import FEATURE_NAMES, FEATURES
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.ranker import CallRanker
from nextcall.sessions import calls_of

PROMPT = "delete the user"
HISTORY = calls_of(["users:GetUser"])
FIRST, SECOND = "users:DeleteUser", "orders:CancelOrder"


def test_differences_sum_to_the_difference_of_the_scores(
    ranker: CallRanker, shop_index: CatalogIndex
) -> None:
    answers = ranker.rank(shop_index, PROMPT, HISTORY, k=22)
    by_id = {answer.operation.operation_id: answer for answer in answers}
    table = ranker.contrast(shop_index, PROMPT, HISTORY, first=FIRST, second=SECOND)
    assert table["difference"].sum() == pytest.approx(by_id[FIRST].score - by_id[SECOND].score)
    assert table["difference"].abs().is_monotonic_decreasing
    assert sorted(table["feature"]) == sorted(FEATURE_NAMES)
    values = table.set_index("feature")
    for name, one, other in zip(
        FEATURE_NAMES, by_id[FIRST].features, by_id[SECOND].features, strict=True
    ):
        assert values["first_value"][name] == pytest.approx(one, nan_ok=True)
        assert values["second_value"][name] == pytest.approx(other, nan_ok=True)


def test_a_contrast_agrees_with_the_explanations_of_both(
    ranker: CallRanker, shop_index: CatalogIndex
) -> None:
    table = ranker.contrast(shop_index, PROMPT, HISTORY, first=FIRST, second=SECOND)
    parts = ranker.explain(shop_index, PROMPT, HISTORY, k=22)
    parts = parts[parts["feature"] != BASE]
    for side, operation_id in (("first", FIRST), ("second", SECOND)):
        own = parts[parts["operation_id"] == operation_id].set_index("feature")["contribution"]
        split = table.set_index("feature")[f"{side}_contribution"]
        np.testing.assert_allclose(split, own.loc[split.index])


def test_turned_round_a_contrast_is_its_own_negative(
    ranker: CallRanker, shop_index: CatalogIndex
) -> None:
    one = ranker.contrast(shop_index, PROMPT, HISTORY, first=FIRST, second=SECOND)
    other = ranker.contrast(shop_index, PROMPT, HISTORY, first=SECOND, second=FIRST)
    turned = other.set_index("feature")["difference"].loc[one["feature"]]
    np.testing.assert_array_equal(one["difference"], -turned)


def test_only_two_candidates_can_be_contrasted(
    ranker: CallRanker, shop_index: CatalogIndex, aws_index: CatalogIndex
) -> None:
    with pytest.raises(ValueError, match="must be two operations, got 'users:GetUser' twice"):
        ranker.contrast(shop_index, PROMPT, first="users:GetUser", second="users:GetUser")
    with pytest.raises(ValueError, match=r"first must be one of the 22 .* got 'no:Such'"):
        ranker.contrast(shop_index, PROMPT, first="no:Such", second=FIRST)
    proposed = {a.operation.operation_id for a in ranker.rank(aws_index, PROMPT, k=len(aws_index))}
    best, *_ = ranker.rank(aws_index, PROMPT, k=1)
    beyond = next(o.operation_id for o in aws_index.catalog if o.operation_id not in proposed)
    with pytest.raises(ValueError, match=f"second must be one of the 100 .* got '{beyond}'"):
        ranker.contrast(aws_index, PROMPT, first=best.operation.operation_id, second=beyond)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("last_endpoint_type", 5, "delete"),
        ("prompt_action", -1, "none"),
        ("called_last", 0, "no"),
        ("rank_fused", 0, "1st"),
        ("rank_full", 10, "11th"),
        ("rank_full", 21, "22nd"),
        ("rank_full", 111, "112th"),
        ("rank_feeding", 2, "3rd"),
        ("rank_feeding", 100, "not listed"),
        ("unmet_needs", 2, "2"),
        ("time_since_last", np.log1p(59), "59 s"),
        ("service_size", 1234, "1,234"),
        ("bm25_text", 2.345, "2.35"),
        ("no_such_feature", 0.5, "0.50"),
    ],
)
def test_values_read_as_what_they_mean(name: str, value: float, text: str) -> None:
    assert readable_value(name, value) == text


def test_every_feature_can_be_read() -> None:
    for feature in FEATURES:
        for value in (feature.low, 1.0, np.nan):
            assert readable_value(feature.name, value)
