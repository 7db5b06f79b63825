"""The operation graph: planted catalogues, and loops over dictionaries beside the arrays."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.catalog import Catalog, Parameter, describe_operation
from nextcall.catalog import aws as aws_module
from nextcall.catalog.aws import read_aws
from nextcall.catalog.graph import OperationGraph
from nextcall.catalog.terms import TermTables

FILMS = (
    "/search/person",
    "/search/movie",
    "/person/{person_id}",
    "/person/{person_id}/movie_credits",
    "/movie/{movie_id}",
    "/movie/{movie_id}/reviews",
    "/review/{review_id}",
)


def catalog_of(paths: tuple[str, ...]) -> Catalog:
    operations = tuple(
        describe_operation(operation_id=f"GET {path}", method="GET", path=path, source="films")
        for path in paths
    )
    return Catalog("films", operations)


@pytest.fixture(scope="module")
def films() -> OperationGraph:
    return OperationGraph.build(catalog_of(FILMS))


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> tuple[Catalog, OperationGraph]:
    """Eight real services that share entities such as clusters, topics and roles."""
    folder = tmp_path_factory.mktemp("aws")
    for service in ("acm", "ecs", "eks", "elb", "iam", "lambda", "sns", "sqs"):
        (folder / service).symlink_to(aws_module._installed_data() / service)
    catalog = read_aws(data=folder)
    return catalog, OperationGraph.build(catalog)


def plain_edge(tables: TermTables, producer: int, consumer: int) -> float:
    given = dict(zip(tables.yield_terms[producer], tables.yield_weights[producer], strict=True))
    needs = zip(tables.need_terms[consumer], tables.need_weights[consumer], strict=True)
    return float(sum(weight * given[term] for term, weight in needs if term in given))


def plain_known(tables: TermTables, calls: list[int], *, taken: bool) -> dict[int, float]:
    known: dict[int, float] = {}
    for call in calls:
        pairs = list(zip(tables.yield_terms[call], tables.yield_weights[call], strict=True))
        if taken:
            pairs += zip(tables.need_terms[call], tables.need_taken[call], strict=True)
        for term, weight in pairs:
            known[term] = max(float(weight), known.get(term, 0.0))
    return known


def plain_unmet(tables: TermTables, row: int, known: dict[int, float]) -> dict[int, float]:
    needs = zip(tables.need_terms[row], tables.need_required[row], strict=True)
    return {
        term: float(required) * (1 - known.get(term, 0.0)) for term, required in needs if required
    }


def test_the_hidden_first_hop_is_found(films: OperationGraph) -> None:
    asked, person = FILMS.index("/person/{person_id}/movie_credits"), 0
    weights = np.zeros(len(FILMS))
    weights[asked] = 1.0
    flow = films.flow(range(len(FILMS)), [], weights)
    assert flow.feeds_candidates.argmax() == person
    nothing = films.known([])
    rows, scores = films.first_hops(films.demanded([asked], [1.0], nothing), nothing, n=3)
    assert rows.tolist() == [person]
    assert scores[0] == pytest.approx(flow.feeds_candidates[person])


def test_what_a_call_gave_back_feeds_what_needs_it(films: OperationGraph) -> None:
    flow = films.flow(range(len(FILMS)), [0], np.ones(len(FILMS)))
    fed = {FILMS[row] for row in np.flatnonzero(flow.fed_by_history)}
    assert fed == {path for path in FILMS if "{person_id}" in path}
    before = films.flow(range(len(FILMS)), [], np.ones(len(FILMS)))
    assert not before.fed_by_history.any()
    assert (flow.unmet_needs <= before.unmet_needs).all()
    assert {FILMS[row] for row in np.flatnonzero(flow.unmet_needs < before.unmet_needs)} == fed


def test_who_was_called_with_an_identifier_has_it(films: OperationGraph) -> None:
    movie, reviews = FILMS.index("/movie/{movie_id}"), FILMS.index("/movie/{movie_id}/reviews")
    assert films.needs(reviews) == ("movie",)
    assert "movie" not in films.yields(movie)
    assert (films.satisfied(reviews, []), films.satisfied(reviews, [movie])) == (0.0, 1.0)
    assert films.satisfied(0, []) == 1.0, "what needs nothing lacks nothing"


def test_flow_is_what_loops_compute(aws: tuple[Catalog, OperationGraph]) -> None:
    catalog, graph = aws
    tables = graph.tables
    rng = np.random.default_rng(0)
    for n_calls in (0, 1, 6):
        rows = rng.choice(len(catalog), 40, replace=False)
        calls = rng.choice(len(catalog), n_calls).tolist()
        weights = rng.random(40)
        flow = graph.flow(rows, calls, weights)
        known = plain_known(tables, calls, taken=True)
        sources = (calls[-1:], calls)
        for row, values in enumerate(zip(flow.fed_by_last, flow.fed_by_history, strict=True)):
            needs = dict(
                zip(tables.need_terms[rows[row]], tables.need_weights[rows[row]], strict=True)
            )
            for value, source in zip(values, sources, strict=True):
                given = plain_known(tables, source, taken=False)
                fed = sum(weight * given.get(term, 0.0) for term, weight in needs.items())
                assert value == pytest.approx(fed, abs=1e-5)
        lacking = [plain_unmet(tables, row, known) for row in rows]
        assert flow.unmet_needs == pytest.approx([sum(one.values()) for one in lacking], abs=1e-5)
        for place, row in enumerate(rows):
            given = dict(zip(tables.yield_terms[row], tables.yield_weights[row], strict=True))
            fed = sum(
                weight * required * given.get(term, 0.0)
                for weight, one in zip(weights, lacking, strict=True)
                for term, required in one.items()
            )
            ready = 1 + sum(lacking[place].values())
            expected = fed / weights.sum() / ready
            assert flow.feeds_candidates[place] == pytest.approx(expected, abs=1e-5)


def test_edges_are_the_products_of_needs_and_yields(aws: tuple[Catalog, OperationGraph]) -> None:
    catalog, graph = aws
    edges = graph.edges(least=0.2)
    assert edges.nnz > len(catalog)
    assert edges.diagonal().sum() == 0
    rng = np.random.default_rng(0)
    for producer, consumer in rng.integers(0, len(catalog), (3000, 2)):
        weight = plain_edge(graph.tables, producer, consumer)
        if producer != consumer and abs(weight - 0.2) > 1e-6:
            expected = weight if weight >= 0.2 else 0.0
            assert edges[producer, consumer] == pytest.approx(expected, abs=1e-6)


def test_neighbours_are_rows_and_columns_of_the_edges(aws: tuple[Catalog, OperationGraph]) -> None:
    catalog, graph = aws
    edges = graph.edges(least=1e-9).toarray()
    for row in range(0, len(catalog), 50):
        for found, expected in (
            (graph.producers(row), edges[:, row]),
            (graph.consumers(row), edges[row]),
        ):
            rows, weights = found
            assert set(rows.tolist()) == set(np.flatnonzero(expected).tolist())
            assert weights == pytest.approx(expected[rows], rel=1e-5)
            assert (np.diff(weights) <= 0).all()


def test_first_hops_are_the_best_of_all_operations(aws: tuple[Catalog, OperationGraph]) -> None:
    catalog, graph = aws
    everything = np.arange(len(catalog))
    rng = np.random.default_rng(1)
    weights = np.where(everything % 17 == 0, rng.random(len(catalog)), 0.0)
    tables = graph.tables
    for calls in ([], [3, 50]):
        known = graph.known(calls)
        demand = graph.demanded(everything, weights, known)
        strong = np.where(demand >= 0.03 * demand.max(), demand, 0.0)
        assert 0 < (strong > 0).sum() < (demand > 0).sum(), "faint demands are left out"
        given = (tables.yield_weights * strong[tables.yield_terms]).sum(axis=1)
        expected = given / (1 + graph.flow(everything, calls, weights).unmet_needs)
        rows, scores = graph.first_hops(demand, known, n=20)
        assert scores == pytest.approx(np.sort(expected)[::-1][:20], rel=1e-4)
        assert scores == pytest.approx(expected[rows], rel=1e-4)


def test_an_operation_is_fed_within_its_service_first(
    aws: tuple[Catalog, OperationGraph],
) -> None:
    catalog, graph = aws
    rows, weights = graph.producers(catalog.positions["eks:DescribeNodegroup"])
    by_service: dict[str, float] = {}
    for row, weight in zip(rows, weights, strict=True):
        service = catalog.operations[row].service
        by_service[service] = max(float(weight), by_service.get(service, 0.0))
    assert by_service["eks"] > 1.5 * by_service.get("ecs", 0.0), "both have clusters"
    rows, _ = graph.consumers(catalog.positions["iam:CreateRole"])
    fed = {catalog.operations[row].operation_id for row in rows}
    assert "lambda:CreateFunction" in fed, "a role is only at home in iam"


@given(st.lists(st.integers(0, len(FILMS) - 1), max_size=6), st.integers(0, len(FILMS) - 1))
def test_more_calls_never_leave_more_unmet(
    films: OperationGraph, calls: list[int], another: int
) -> None:
    rows, weights = range(len(FILMS)), np.ones(len(FILMS))
    before = films.flow(rows, calls, weights)
    after = films.flow(rows, [another, *calls], weights)
    assert (after.unmet_needs <= before.unmet_needs).all()
    assert (after.fed_by_history >= before.fed_by_history).all()
    assert (before.fed_by_history >= before.fed_by_last).all()
    for row in rows:
        assert 0 <= films.satisfied(row, calls) <= films.satisfied(row, [another, *calls]) <= 1


def test_a_catalogue_without_identifiers_has_no_edges() -> None:
    graph = OperationGraph.build(
        Catalog(
            "odd", (describe_operation(operation_id="zork", parameters=(Parameter(name="x"),)),)
        )
    )
    assert len(graph) == 1
    assert graph.edges().nnz == 0
    assert graph.needs(0) == ()
    assert graph.yields(0) == {}
    flow = graph.flow([0], [0], [0.0])
    assert [flow.fed_by_last, flow.unmet_needs, flow.feeds_candidates] == [[0], [0], [0]]
    known = graph.known([])
    rows, _ = graph.first_hops(graph.demanded([0], [1.0], known), known, n=1)
    assert len(rows) == 0


def test_first_hops_refuse_none(films: OperationGraph) -> None:
    known = films.known([])
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        films.first_hops(known, known, n=0)


def test_a_kept_graph_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = catalog_of(FILMS)
    built = OperationGraph.cached(catalog, tmp_path)
    [path] = tmp_path.iterdir()
    whole = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(OperationGraph, "build", None)  # a kept graph is not built again
        kept = OperationGraph.cached(catalog, tmp_path)
    assert kept.tables.terms == built.tables.terms
    for name in ("need_terms", "need_weights", "need_required", "need_taken", "yield_terms"):
        np.testing.assert_array_equal(getattr(kept.tables, name), getattr(built.tables, name))
    for damaged in (whole[: len(whole) // 2], b"", whole.replace(b"need_taken", b"need_fallen")):
        path.write_bytes(damaged)
        again = OperationGraph.cached(catalog, tmp_path)
        assert again.tables.terms == built.tables.terms
        assert path.read_bytes() == whole


def test_a_kept_graph_without_terms_is_the_same(tmp_path: Path) -> None:
    catalog = Catalog("odd", (describe_operation(operation_id="zork"),))
    OperationGraph.cached(catalog, tmp_path)
    assert OperationGraph.cached(catalog, tmp_path).tables.terms == ()
