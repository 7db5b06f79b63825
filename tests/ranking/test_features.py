"""Every feature against a slow definition over sets and dicts; what no feature depends on."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import exp, log, log1p, nan

import numpy as np
import pytest
from numpy.typing import NDArray

from nextcall.catalog import Catalog, Operation
from nextcall.catalog.actions import ACTIONS, verb_action
from nextcall.catalog.graph import OperationGraph
from nextcall.catalog.text import identifier_words, singular
from nextcall.ranking.candidates import Retrieved, likely_right, retrieve
from nextcall.ranking.feature_table import FEATURE_NAMES, FEATURES
from nextcall.ranking.features import compute_features, has_history
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.lexicon import prompt_words, stem, stems
from nextcall.ranking.operation_texts import label_text, operation_text
from nextcall.ranking.workflow import _EDGES, WorkflowPrior
from nextcall.sessions import Call, Query, calls_of

REQUIRED = {
    *("time_since_last", "session_length", "last_endpoint_type", "last_resource", "endpoint_type"),
    *("resource_match", "action_verb_match", "workflow_distance", "prompt_similarity"),
    *("bigram_prob", "trigram_prob"),
}
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
PROMPTS = (
    "list all orders of the customer",
    "Please cancel my order",
    "get the user's policies, then tag a resource",
    "send invoice by email",
    "who are you",
    "zzz qqq",
    "",
)
HISTORIES: tuple[tuple[Call, ...], ...] = (
    (),
    (Call(operation_id="orders:ListOrders", time=NOON - timedelta(seconds=90)),),
    calls_of(["users:SearchUsers", "users:GetUser"]),
    calls_of(["orders:ListOrders", "no:Such", "orders:GetOrder", "orders:GetOrder"]),
    calls_of(["no:Such"]),
    calls_of(["users:TagResource"] * 60 + ["billing:GetInvoice", "orders:GetOrder"] * 30),
    (
        Call(operation_id="users:GetUser", time=NOON - timedelta(days=1)),
        Call(operation_id="users:DeleteUser", time=NOON - timedelta(seconds=5)),
        Call(operation_id="billing:ListInvoices", time=NOON - timedelta(seconds=2)),
    ),
)
Plain = dict[str, list[float]]


class PlainCatalog:
    """What the words of a catalogue are, in dicts."""

    def __init__(self, catalog: Catalog) -> None:
        self.operations = list(catalog)
        self.name = [_first(stems(o.words), 14) for o in self.operations]
        self.fields: dict[str, list[list[str]]] = {
            "name": self.name,
            "resource": [_first(stems(o.resource.split()), 8) for o in self.operations],
            "service": [_first(_service(o), 10) for o in self.operations],
            "text": [_first(_text(o), 48) for o in self.operations],
            "parameters": [_first(_parameters(o), 32) for o in self.operations],
        }
        self.documents = {
            "text": [_text(o) for o in self.operations],
            "name": [[*stems(o.words), *stems(o.words), *_service(o)] for o in self.operations],
            "full": [_full(o) for o in self.operations],
        }
        kinds = Counter(term for d in self.documents["full"] for term in set(d))
        self.n = len(self.operations)
        self.weight = {t: log(1 + (self.n - c + 0.5) / (c + 0.5)) for t, c in kinds.items()}
        self.rarest = max(self.weight.values())

    def bm25(self, field: str, terms: Iterable[str]) -> list[float]:
        documents = self.documents[field]
        mean = sum(map(len, documents)) / self.n
        kinds = Counter(term for d in documents for term in set(d))
        scores = [0.0] * self.n
        for term in terms:
            rarity = log(1 + (self.n - kinds[term] + 0.5) / (kinds[term] + 0.5))
            for row, document in enumerate(documents):
                count = document.count(term)
                long = 1.5 * (1 - 0.75 + 0.75 * len(document) / mean)
                scores[row] += rarity * count / (count + long)
        return scores

    def sum(self, terms: Iterable[str]) -> float:
        return sum(self.weight[term] for term in set(terms))


def _first(terms: Sequence[str], width: int) -> list[str]:
    return list(dict.fromkeys(terms))[:width]


def _service(o: Operation) -> list[str]:
    return stems(prompt_words(" ".join(dict.fromkeys((*o.tags, o.service)))))


def _text(o: Operation) -> list[str]:
    return [*_service(o), *stems(o.words), *stems(prompt_words(o.description[:200]))]


def _parameters(o: Operation) -> list[str]:
    return stems(word for p in o.parameters for word in identifier_words(p.name))


def _full(o: Operation) -> list[str]:
    resource, summary = stems(o.resource.split()), stems(prompt_words(o.summary))
    tail = stems(prompt_words(o.description[200:]))
    return [*_text(o), *resource, *summary, *tail, *_parameters(o)]


def plain_retrieval(
    plain: PlainCatalog, index: CatalogIndex, prompt: str, found: Retrieved
) -> Plain:
    asked = index.embedder.encode([prompt])[0].astype(float)
    text = index.embedder.encode([operation_text(o) for o in plain.operations]).astype(float)
    label = index.embedder.encode([label_text(o) for o in plain.operations]).astype(float)
    dense = [
        float(asked @ (t + n)) / float(np.linalg.norm(t + n))
        for t, n in zip(text, label, strict=True)
    ]
    kept = stems(prompt_words(prompt))
    known = [term for term in dict.fromkeys(kept) if term in plain.weight]
    out: Plain = {
        "dense_similarity": [dense[row] for row in found.rows],
        "dense_similarity_gap": [max(dense) - dense[row] for row in found.rows],
        "rank_fused": [float(place) for place in range(len(found.rows))],
        "fused_share": [float(score / found.fused[0]) for score in found.fused],
    }
    for name, vectors in (("prompt", text), ("label", label)):
        cosines = [float(vectors[row] @ asked) for row in found.rows]
        out[f"{name}_similarity"] = cosines
        out[f"{name}_similarity_gap"] = [max(cosines) - value for value in cosines]
    lists = {"dense": dense} | {f: plain.bm25(f, known) for f in ("text", "name", "full")}
    for name, scores in lists.items():
        if name != "dense":
            best = max(scores)
            length = len(kept) or 1
            out[f"bm25_{name}"] = [scores[row] / length for row in found.rows]
            out[f"bm25_{name}_share"] = [scores[r] / best if best else 0.0 for r in found.rows]
        listed = [r for r in range(plain.n) if name == "dense" or scores[r] > 0]
        # which of two like scores is higher is a matter of rounding
        stated = (
            index.nearest.scan(found.vector)
            if name == "dense"
            else index.lexical.bm25[name].scores(found.terms.ids.tolist())
        )
        np.testing.assert_allclose(stated, scores, rtol=1e-4, atol=2e-6)
        np.testing.assert_allclose(found.scores[name], stated[found.rows], atol=1e-6)
        order = sorted(listed, key=lambda row: (-stated[row], row))
        place = {row: rank for rank, row in enumerate(order[:200])}
        out[f"rank_{name}"] = [float(place.get(row, 200)) for row in found.rows]
    return out


def plain_words(plain: PlainCatalog, prompt: str, found: Retrieved) -> Plain:
    words = prompt_words(prompt)
    kept = stems(words)
    asked = set(kept)
    total = sum(plain.weight.get(term, plain.rarest) for term in asked) or 1e-6
    out: Plain = {"prompt_words": [float(len(kept))] * len(found.rows)}
    covers = {
        "name": "prompt_covers_name",
        "resource": "resource_match",
        "service": "prompt_covers_service",
    }
    for field, documents in plain.fields.items():
        shared = [plain.sum(asked & set(documents[row])) for row in found.rows]
        own = [plain.sum(documents[row]) for row in found.rows]
        out[f"{field}_covers_prompt"] = [value / total for value in shared]
        if field in covers:
            pairs = list(zip(shared, own, strict=True))
            out[covers[field]] = [s / o if o else 0.0 for s, o in pairs]
            if field == "name":
                out["name_unmatched"] = [o - s for s, o in pairs]
    neighbours = set(pairwise(kept))
    rows = [list(dict.fromkeys(pairwise(stems(plain.operations[r].words)))) for r in found.rows]
    hits = [sum(pair in neighbours for pair in row) for row in rows]
    out["name_bigrams"] = [float(hit) for hit in hits]
    out["name_bigram_share"] = [h / max(len(row), 1) for h, row in zip(hits, rows, strict=True)]
    at = next((i for i, word in enumerate(words) if verb_action(word)), None)
    action = None if at is None else verb_action(words[at])
    verb = None if at is None else stem(words[at])
    after = words if at is None else words[at + 1 :]
    plural = 0.5
    for word in after:
        if word in {"a", "an", "one", "single", "specific"}:
            plural = 0.0
            break
        many = word in {"all", "multiple", "several", "many", "every", "various"}
        if many or singular(word) != word:
            plural = 1.0
            break
    operations = [plain.operations[row] for row in found.rows]
    out["action_verb_match"] = [
        nan if action is None else float(o.action == action) for o in operations
    ]
    out["prompt_action"] = [-1.0 if action is None else float(ACTIONS.index(action))] * len(
        operations
    )
    own_verb = [next((stem(w) for w in o.words[:3] if verb_action(w)), "") for o in operations]
    out["verb_match"] = [
        nan if verb not in plain.weight else float(own == verb) for own in own_verb
    ]
    ends = [float(bool(o.words) and singular(o.words[-1]) != o.words[-1]) for o in operations]
    out["plural_match"] = [1 - abs(end - plural) for end in ends]
    return out


def plain_services(plain: PlainCatalog, found: Retrieved, dense: list[float]) -> Plain:
    services = [plain.operations[row].service for row in found.rows]
    votes: Counter[str] = Counter()
    for place, service in enumerate(services):
        votes[service] += 1 / (place + 5)  # type: ignore[assignment]  # counts that are shares
    share = {service: vote / sum(votes.values()) for service, vote in votes.items()}
    best = {s: max(d for d, t in zip(dense, services, strict=True) if t == s) for s in share}
    return {
        "service_vote": [share[s] for s in services],
        "service_vote_gap": [max(share.values()) - share[s] for s in services],
        "service_best_similarity": [best[s] for s in services],
        "similarity_within_service": [best[s] - d for s, d in zip(services, dense, strict=True)],
        "rank_within_service": [float(services[:i].count(s)) for i, s in enumerate(services)],
    }


def plain_static(plain: PlainCatalog, found: Retrieved) -> Plain:
    operations = [plain.operations[row] for row in found.rows]
    starts = [o.description[:300].lower() for o in operations]
    sizes = Counter(o.service for o in plain.operations)
    names = Counter(frozenset(name) for name in plain.name)
    return {
        "endpoint_type": [float(ACTIONS.index(o.action)) for o in operations],
        "n_parameters": [float(len(o.parameters)) for o in operations],
        "n_required": [float(sum(p.required for p in o.parameters)) for o in operations],
        "n_name_words": [float(len(o.words)) for o in operations],
        "description_length": [float(len(o.description)) for o in operations],
        "deprecated": [float("deprecated" in s or "no longer" in s) for s in starts],
        "service_size": [float(sizes[o.service]) for o in operations],
        "name_twins": [float(names[frozenset(plain.name[row])] - 1) for row in found.rows],
    }


def relation(one: Operation, other: Operation) -> str:
    if one.service != other.service:
        return "far"
    return "same" if one.resource == other.resource else "near"


def steps(start: str, end: str) -> int:
    """Breadth first; as many as there are actions where no way leads."""
    seen, queue = {start: 0}, deque([start])
    while queue:
        here = queue.popleft()
        for first, second in _EDGES:
            if first == here and second not in seen:
                seen[second] = seen[here] + 1
                queue.append(second)
    return seen.get(end, len(ACTIONS))


def plain_history(
    plain: PlainCatalog,
    index: CatalogIndex,
    found: Retrieved,
    history: Sequence[Call],
    prior: WorkflowPrior,
    now: datetime | None,
) -> Plain:
    recent = history[-100:]
    n = len(found.rows)
    last_time = recent[-1].time if recent else None
    gap = log1p((now - last_time).total_seconds()) if now and last_time else nan
    out: Plain = {"session_length": [float(len(recent))] * n, "time_since_last": [gap] * n}
    by_id = {o.operation_id: o for o in plain.operations}
    row_of = {o.operation_id: row for row, o in enumerate(plain.operations)}
    calls = [by_id[call.operation_id] for call in recent if call.operation_id in by_id]
    if not calls:
        return out | {f.name: [nan] * n for f in FEATURES if f.needs_history}
    last, operations = calls[-1], [plain.operations[row] for row in found.rows]
    resource = [set(plain.fields["resource"][row]) for row in range(plain.n)]
    of_last = resource[row_of[last.operation_id]]
    of_recent = set().union(*(resource[row_of[o.operation_id]] for o in calls[-10:]))
    own = [resource[row] for row in found.rows]
    vectors = index.vectors.astype(float)
    called = [vectors[row_of[o.operation_id]] for o in calls]
    tokens = [
        f"{o.action}:{relation(o, calls[i - 1]) if i else 'first'}" for i, o in enumerate(calls)
    ]
    model = prior.transitions
    ask = [model.positions[f"{o.action}:{relation(o, last)}"] for o in operations]
    bigram = model.probabilities(tokens[-1:], order=2)
    trigram = model.probabilities(tokens[-2:], order=3)
    return out | {
        "last_endpoint_type": [float(ACTIONS.index(last.action))] * n,
        "last_resource": [plain.sum(r & of_last) / (plain.sum(r | of_last) or 1.0) for r in own],
        "history_resource": [plain.sum(r & of_recent) / (plain.sum(r) or 1.0) for r in own],
        "workflow_distance": [
            float(steps(last.action, o.action) + (relation(o, last) != "same")) for o in operations
        ],
        "bigram_prob": [float(bigram[position]) for position in ask],
        "trigram_prob": [float(trigram[position]) for position in ask],
        "last_service": [float(o.service == last.service) for o in operations],
        "same_service_share": [
            sum(c.service == o.service for c in calls) / len(calls) for o in operations
        ],
        "same_resource_share": [
            sum(c.resource == o.resource for c in calls) / len(calls) for o in operations
        ],
        "last_similarity": [float(vectors[row] @ called[-1]) for row in found.rows],
        "history_similarity": [
            float(np.mean([vectors[row] @ vector for vector in called[-10:]])) for row in found.rows
        ],
        "times_called": [float(sum(c == o for c in calls)) for o in operations],
        "called_last": [float(o == last) for o in operations],
    }


def plain_flow(
    plain: PlainCatalog, index: CatalogIndex, found: Retrieved, history: Sequence[Call]
) -> Plain:
    """Entities as keys of dicts: what calls gave, what candidates lack, who gives that."""
    tables = OperationGraph.build(index.catalog).tables
    pad = len(tables.terms)

    def terms(row: int, ids: str, weights: str) -> dict[int, float]:
        pairs = zip(getattr(tables, ids)[row], getattr(tables, weights)[row], strict=True)
        return {int(term): float(weight) for term, weight in pairs if term != pad}

    row_of = {o.operation_id: row for row, o in enumerate(plain.operations)}
    given: dict[int, float] = {}
    known: dict[int, float] = {}
    for call in history[-100:]:
        if call.operation_id in row_of:
            row = row_of[call.operation_id]
            for term, chance in terms(row, "yield_terms", "yield_weights").items():
                given[term] = max(given.get(term, 0.0), chance)
                known[term] = max(known.get(term, 0.0), chance)
            for term, chance in terms(row, "need_terms", "need_taken").items():
                known[term] = max(known.get(term, 0.0), chance)
    needs = [terms(row, "need_terms", "need_weights") for row in found.rows]
    lacks = [
        {term: r * (1 - known.get(term, 0.0)) for term, r in required.items()}
        for required in (terms(row, "need_terms", "need_required") for row in found.rows)
    ]
    best = max(found.fused)
    right = [exp(5 * (float(score / best) - 1)) for score in found.fused]
    feeds = []
    for own, row in zip(lacks, found.rows, strict=True):
        gives = terms(row, "yield_terms", "yield_weights")
        waits = [
            sum(gives.get(term, 0.0) * lack for term, lack in other.items()) for other in lacks
        ]
        fed = sum(weight * wait for weight, wait in zip(right, waits, strict=True)) / sum(right)
        feeds.append(fed / (1 + sum(own.values())))
    stated = index.graph.flow(
        found.rows,
        index.positions([c.operation_id for c in history[-100:]]),
        likely_right(found.fused),
    ).feeds_candidates  # which of two like sums is higher is a matter of rounding
    np.testing.assert_allclose(stated, feeds, rtol=1e-4, atol=2e-6)
    called = any(call.operation_id in row_of for call in history[-100:])
    return {
        "fed_by_history": [
            sum(weight * given.get(term, 0.0) for term, weight in own.items()) if called else nan
            for own in needs
        ],
        "unmet_needs": [sum(own.values()) for own in lacks],
        "feeds_candidates": feeds,
        "rank_feeding": [
            float(sum(other > value for other in stated)) if value > 0 else 100.0
            for value in stated
        ],
    }


def check(
    index: CatalogIndex, prompt: str, history: tuple[Call, ...], prior: WorkflowPrior
) -> NDArray[np.float32]:
    """Compare every column with its slow definition; give the columns."""
    plain = PlainCatalog(index.catalog)
    found = retrieve(index, prompt, history)
    values = compute_features(index, found, history, prior, now=NOON)
    retrieval = plain_retrieval(plain, index, prompt, found)
    expected = (
        retrieval
        | plain_words(plain, prompt, found)
        | plain_services(plain, found, retrieval["dense_similarity"])
        | plain_static(plain, found)
        | plain_history(plain, index, found, history, prior, NOON)
        | plain_flow(plain, index, found, history)
    )
    assert set(expected) == set(FEATURE_NAMES)
    for column, name in enumerate(FEATURE_NAMES):
        np.testing.assert_allclose(
            values[:, column], expected[name], rtol=1e-4, atol=2e-6, err_msg=name
        )
    return values


@pytest.mark.parametrize("history", HISTORIES, ids=lambda h: f"{len(h)} calls")
@pytest.mark.parametrize("prompt", PROMPTS)
def test_every_feature_agrees_with_its_slow_definition(
    shop_index: CatalogIndex, shop_prior: WorkflowPrior, prompt: str, history: tuple[Call, ...]
) -> None:
    check(shop_index, prompt, history, shop_prior)


def test_features_of_real_services_agree_with_their_slow_definitions(
    aws_index: CatalogIndex, aws_queries: list[Query], shop_prior: WorkflowPrior
) -> None:
    for query in aws_queries[5 :: len(aws_queries) // 5]:
        check(aws_index, query.prompt, query.history, shop_prior)


def test_the_table_names_each_feature_once_and_holds_the_required_ones() -> None:
    assert len(set(FEATURE_NAMES)) == len(FEATURES)
    assert set(FEATURE_NAMES) >= REQUIRED
    for feature in FEATURES:
        assert feature.low < feature.high
        assert feature.formula
        assert feature.unit


def test_every_feature_is_in_its_range_known_where_it_should_be_and_says_something(
    shop_index: CatalogIndex,
    shop_prior: WorkflowPrior,
    aws_index: CatalogIndex,
    aws_queries: list[Query],
) -> None:
    asked: list[tuple[CatalogIndex, str, tuple[Call, ...]]] = [
        *((shop_index, prompt, history) for prompt in PROMPTS for history in HISTORIES),
        *((aws_index, query.prompt, query.history) for query in aws_queries[::9]),
    ]
    varies = np.zeros(len(FEATURES), dtype=np.bool_)
    for index, prompt, history in asked:
        found = retrieve(index, prompt, history)
        values = compute_features(index, found, history, shop_prior, now=NOON)
        known = any(call.operation_id in index.catalog for call in history)
        verb = found.terms.action >= 0
        for column, feature in enumerate(FEATURES):
            line = values[:, column]
            missing = np.isnan(line)
            assert missing.all() or not missing.any(), feature.name
            if not missing.any():
                assert line.min() >= feature.low - 1e-6, feature.name
                assert line.max() <= feature.high + 1e-6, feature.name
                varies[column] |= bool((line != 0).any())
            elif feature.needs_history:
                assert not known, feature.name
            elif feature.name == "time_since_last":
                assert not history or history[-1].time is None
            elif feature.name == "action_verb_match":
                assert not verb
            else:
                assert feature.name == "verb_match"
                assert found.terms.verb < 0
    assert varies.all(), [f.name for f, seen in zip(FEATURES, varies, strict=True) if not seen]


@pytest.mark.parametrize("history", HISTORIES, ids=lambda h: f"{len(h)} calls")
def test_only_known_calls_are_a_history(
    shop_index: CatalogIndex, shop_prior: WorkflowPrior, history: tuple[Call, ...]
) -> None:
    found = retrieve(shop_index, "get order", history)
    values = compute_features(shop_index, found, history, shop_prior)
    known = any(call.operation_id in shop_index.catalog for call in history)
    assert has_history(values) is known


def test_a_call_from_the_future_was_made_just_now(
    shop_index: CatalogIndex, shop_prior: WorkflowPrior
) -> None:
    history = (Call(operation_id="orders:GetOrder", time=NOON + timedelta(hours=1)),)
    found = retrieve(shop_index, "get order", history)
    values = compute_features(shop_index, found, history, shop_prior, now=NOON)
    assert (values[:, FEATURE_NAMES.index("time_since_last")] == 0).all()


def test_what_lies_more_than_a_hundred_calls_back_counts_for_nothing(
    shop_index: CatalogIndex, shop_prior: WorkflowPrior
) -> None:
    newest = calls_of(["orders:GetOrder", "users:GetUser"] * 50)
    longer = (*calls_of(["billing:SendInvoice"] * 7), *newest)
    found = retrieve(shop_index, "get order", newest)
    np.testing.assert_array_equal(
        compute_features(shop_index, found, longer, shop_prior),
        compute_features(shop_index, found, newest, shop_prior),
    )
