"""First calls drawn by the graph, in a catalogue where it is plain who gives what."""

from collections import Counter

import numpy as np
import pytest

from nextcall.catalog import Catalog, Parameter, describe_operation
from nextcall.catalog.graph import OperationGraph
from nextcall.training.first_hops import draw_first_hops

PATHS = (
    "/search/person",
    "/search/movie",
    "/person/{person_id}/credits",
    "/movie/{movie_id}/reviews",
    "/review/{review_id}",
    "/genres",
)
FILMS = Catalog(
    "films",
    tuple(
        describe_operation(operation_id=f"GET {path}", method="GET", path=path) for path in PATHS
    ),
)
GRAPH = OperationGraph.build(FILMS)


def drawn(path: str, called: tuple[str, ...] = (), *, deeper: float = 0.0) -> Counter[str]:
    rng = np.random.default_rng(0)
    rows = [PATHS.index(one) for one in called]
    runs = [
        draw_first_hops(FILMS, GRAPH, PATHS.index(path), rows, deeper=deeper, rng=rng)
        for _ in range(20)
    ]
    return Counter(" ".join(PATHS[row] for row in run) for run in runs)


def test_what_gives_the_identifier_is_called_first() -> None:
    assert drawn("/person/{person_id}/credits") == {"/search/person": 20}
    assert drawn("/review/{review_id}") == {"/movie/{movie_id}/reviews": 20}


def test_a_first_call_may_need_one_itself() -> None:
    both = drawn("/review/{review_id}", deeper=1.0)
    assert both == {"/search/movie /movie/{movie_id}/reviews": 20}
    assert len(drawn("/review/{review_id}", deeper=0.5)) == 2


@pytest.mark.parametrize(
    ("path", "called"),
    [("/genres", ()), ("/person/{person_id}/credits", ("/person/{person_id}/credits",))],
    ids=["it needs nothing", "it is known"],
)
def test_nothing_is_called_where_nothing_is_missing(path: str, called: tuple[str, ...]) -> None:
    assert drawn(path, called, deeper=1.0) == {"": 20}


def test_finding_a_thing_is_likelier_than_making_one() -> None:
    identifier = Parameter(name="VolumeId", type="string", required=True)
    catalog = Catalog(
        "volumes",
        (
            describe_operation(operation_id="CreateVolume"),
            describe_operation(operation_id="ListVolumes"),
            describe_operation(operation_id="AttachVolume", parameters=(identifier,)),
        ),
    )
    graph = OperationGraph.build(catalog)
    rng = np.random.default_rng(1)
    seen = Counter(
        row
        for _ in range(300)
        for row in draw_first_hops(catalog, graph, 2, [], deeper=0.0, rng=rng)
    )
    assert seen[0] + seen[1] == 300
    assert seen[1] > 2 * seen[0] > 0
