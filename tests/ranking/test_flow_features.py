"""The features of the operation graph, in a catalogue where it is plain who waits for whom."""

import numpy as np
import pytest
from numpy.typing import NDArray

from nextcall.catalog import Catalog, describe_operation
from nextcall.embedding.embedder import Embedder
from nextcall.ranking.candidates import retrieve
from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.ranking.features import compute_features
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.workflow import WorkflowPrior
from nextcall.sessions import Call, calls_of

PROMPT = "award nominations of Sofia"
SEARCH, ASKED = 0, 1


@pytest.fixture(scope="module")
def prizes(embedder: Embedder) -> CatalogIndex:
    """Two operations that go together, and others that look more like the prompt than the first."""
    paths = [
        "/search/performer",
        "/performer/{performer_id}/award_nominations",
        *(f"/awards/{year}/nominations" for year in range(1990, 2020)),
    ]
    operations = (
        describe_operation(operation_id=f"GET {path}", method="GET", path=path, source="prizes")
        for path in paths
    )
    return CatalogIndex(Catalog("prizes", tuple(operations)), embedder)


def columns(
    index: CatalogIndex, prior: WorkflowPrior, history: tuple[Call, ...] = ()
) -> tuple[list[int], dict[str, NDArray[np.float32]]]:
    found = retrieve(index, PROMPT, history)
    values = compute_features(index, found, history, prior)
    return found.rows.tolist(), dict(zip(FEATURE_NAMES, values.T, strict=True))


def test_only_the_graph_tells_a_first_call_that_no_word_leads_to(
    prizes: CatalogIndex, shop_prior: WorkflowPrior
) -> None:
    rows, column = columns(prizes, shop_prior)
    assert rows.index(SEARCH) > len(rows) / 2, "retrieval sees others before it"
    assert column["rank_feeding"].tolist() == [0.0 if row == SEARCH else 100.0 for row in rows]
    assert np.flatnonzero(column["feeds_candidates"]).tolist() == [rows.index(SEARCH)]
    assert np.flatnonzero(column["unmet_needs"]).tolist() == [rows.index(ASKED)]
    assert np.isnan(column["fed_by_history"]).all()


def test_what_waited_for_a_call_is_fed_after_it(
    prizes: CatalogIndex, shop_prior: WorkflowPrior
) -> None:
    before = columns(prizes, shop_prior)[1]["unmet_needs"].max()
    rows, column = columns(prizes, shop_prior, calls_of(["GET /search/performer"]))
    assert np.flatnonzero(column["fed_by_history"]).tolist() == [rows.index(ASKED)]
    assert 0 < column["unmet_needs"][rows.index(ASKED)] < before
