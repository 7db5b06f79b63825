"""Abstention against truths that were planted, slow definitions, and services never trained on."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from nextcall.catalog import Catalog
from nextcall.embedding.embedder import Embedder
from nextcall.ranking.abstention import INPUTS, Abstention, abstention_inputs
from nextcall.ranking.background import Background
from nextcall.ranking.candidates import Retrieved, retrieve
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.lexicon import prompt_words, stems
from nextcall.ranking.ranker import CallRanker
from nextcall.sessions import Query, calls_of

N = len(INPUTS)
SMALLTALK = ("what is the weather in Paris", "play some jazz", "book a table for two", "sing")


def asked(index: CatalogIndex, *prompts: str) -> dict[str, Retrieved]:
    vectors = index.encode_prompts(prompts)
    return {p: retrieve(index, p, vector=v) for p, v in zip(prompts, vectors, strict=True)}


def drawn(n: int, *, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Inputs, and the true probability of being foreign: at even odds over all."""
    x = np.random.default_rng(seed).normal(size=(n, N)) * 3 + 5
    return x, expit((x[:, 0] - 5) * 0.5 - (x[:, 3] - 5) * 0.4)


def without(catalog: Catalog, *services: str) -> list[str]:
    return [o.operation_id for o in catalog if o.service not in services]


@pytest.fixture(scope="module")
def background(shop_index: CatalogIndex) -> Background:
    return Background.of_index(shop_index)


@pytest.fixture(scope="module")
def trained(
    aws: Catalog, embedder: Embedder, aws_queries: list[Query], background: Background
) -> tuple[Abstention, dict[str, float], dict[str, float]]:
    """Learned on pairs of services; what it says of prompts of others, own and foreign."""
    prompts: dict[str, list[str]] = {}
    for query in aws_queries:
        if not query.history:
            prompts.setdefault(aws[query.relevant[0]].service, []).append(query.prompt)
    held_out = {"sqs", "sts", "secretsmanager", "ecr-public"}
    services = sorted(set(prompts) - held_out)
    inputs, foreign = [], []
    for first, second in zip(services, [*services[1:], services[0]], strict=True):
        inside = [o.operation_id for o in aws if o.service in {first, second}]
        index = CatalogIndex(aws.subset(inside, name="pair"), embedder)
        for service in services:
            found = asked(index, *dict.fromkeys(prompts[service][:12]))
            inputs.append(abstention_inputs(background, index, found))
            foreign += [service not in {first, second}] * len(found)
    fitted = Abstention.fit(background, np.concatenate(inputs), foreign)
    unseen = [o.operation_id for o in aws if o.service in {"sqs", "secretsmanager"}]
    index = CatalogIndex(aws.subset(unseen, name="unseen"), embedder)
    own = asked(index, *prompts["sqs"], *prompts["secretsmanager"])
    other = asked(index, *prompts["sts"], *prompts["ecr-public"], *SMALLTALK)
    return (
        fitted,
        {prompt: fitted.probability(index, prompt, found) for prompt, found in own.items()},
        {prompt: fitted.probability(index, prompt, found) for prompt, found in other.items()},
    )


def test_prompts_of_other_services_are_told_apart(
    trained: tuple[Abstention, dict[str, float], dict[str, float]],
) -> None:
    """The area under the curve as the share of pairs in the right order."""
    _, own, foreign = trained
    pairs = [mine < other for mine in own.values() for other in foreign.values()]
    assert np.mean(pairs) > 0.9
    assert max(foreign[prompt] for prompt in SMALLTALK) > 0.5 > np.median(list(own.values()))


def test_probability_is_calibrated_where_the_truth_is_logistic(background: Background) -> None:
    x, truth = drawn(6000, seed=0)
    foreign = np.random.default_rng(1).random(len(x)) < truth
    fitted = Abstention.fit(background, x, foreign)
    new, truth = drawn(2000, seed=2)
    assert np.abs(fitted.probabilities(new) - truth).mean() < 0.04


def test_own_and_foreign_prompts_weigh_the_same(background: Background) -> None:
    """At its optimum the constant makes the mean over both halves a half."""
    x, truth = drawn(3000, seed=3)
    foreign = (np.random.default_rng(1).random(len(x)) < truth) & (np.arange(len(x)) % 5 == 0)
    assert foreign.mean() < 0.15
    stated = Abstention.fit(background, x, foreign).probabilities(x)
    halves = stated[foreign].mean(), stated[~foreign].mean()
    assert np.mean(halves) == pytest.approx(0.5, abs=1e-3)


def test_the_fit_is_the_optimum_of_a_plain_loss(background: Background) -> None:
    """No step away from the weights, in any direction, lowers the loss written out in full."""
    x, truth = drawn(400, seed=4)
    foreign = np.random.default_rng(1).random(len(x)) < truth
    fitted = Abstention.fit(background, x, foreign)
    weights = np.array(fitted.weights)

    def loss(beta: NDArray[np.float64]) -> float:
        stated = replace(fitted, weights=tuple(beta)).probabilities(x)
        own, other = -np.log1p(-stated[~foreign]).mean(), -np.log(stated[foreign]).mean()
        return float((own + other) / 2 + 0.001 * (beta[:-1] ** 2).sum())

    least = loss(weights)
    for direction in np.eye(4 * N + 1):
        assert loss(weights + 0.05 * direction) > least
        assert loss(weights - 0.05 * direction) > least


def test_inputs_are_what_their_names_say(aws_index: CatalogIndex, background: Background) -> None:
    prompt = "create an SQS queue named zanzibar for Quetzalcoatl orders"
    found = asked(aws_index, prompt)
    row = dict(zip(INPUTS, abstention_inputs(background, aws_index, found)[0], strict=True))
    vector = aws_index.encode_prompts([prompt])[0]
    similar = np.sort(aws_index.vectors @ vector)[::-1]
    assert row["similarity"] == pytest.approx(similar[0], abs=1e-5)
    assert row["similarity_of_five"] == pytest.approx(similar[:5].mean(), abs=1e-5)
    assert row["lead_over_ten"] == pytest.approx(similar[0] - similar[:10].mean(), abs=1e-5)
    assert row["text_similarity"] == pytest.approx(
        (aws_index.text_vectors[found[prompt].rows] @ vector).max(), abs=1e-5
    )
    # No operation of the shop is far from AWS in number: with 22, all of it stays the background.
    outside = np.sort(background.vectors() @ vector)[::-1]
    assert row["background"] == pytest.approx(outside[0], abs=1e-5)
    assert row["background_of_five"] == pytest.approx(outside[:5].mean(), abs=1e-5)
    best = (background.vectors() @ aws_index.vectors.T).max(axis=1)
    assert row["usual"] == pytest.approx(np.median(best), abs=1e-5)
    distinct = set(stems(prompt_words(prompt)))
    vocabulary = aws_index.lexical.vocabulary
    unknown = {word for word in distinct if word not in vocabulary} - set(background.weights)
    assert {"zanzibar", "quetzalcoatl"} <= unknown
    assert row["names"] == pytest.approx(len(unknown) / len(distinct))
    rarest = max(background.weights.values())
    weight = {w: background.weights.get(w, rarest) for w in distinct - unknown}
    spoken = [
        set(vocabulary_words(aws_index, ids)) & distinct
        for ids in aws_index.lexical.terms["text"].ids[found[prompt].rows]
    ]
    total = sum(weight.values())
    covered = max(sum(weight[word] for word in words) for words in spoken) / total
    assert row["text_covers"] == pytest.approx(covered, abs=1e-5)
    three = sum(weight[word] for word in spoken[0] | spoken[1] | spoken[2]) / total
    assert row["three_cover"] == pytest.approx(three, abs=1e-5)
    known = sum(weight[word] for word in weight if word in vocabulary) / total
    assert row["known_words"] == pytest.approx(known, abs=1e-5)
    assert row["size"] == pytest.approx(np.log(len(aws_index)))


def vocabulary_words(index: CatalogIndex, ids: NDArray[np.int32]) -> list[str]:
    words = list(index.lexical.vocabulary)
    return [words[term] for term in ids if term < len(words)]


def test_a_prompt_without_words_has_a_probability(
    background: Background, shop_index: CatalogIndex
) -> None:
    x, truth = drawn(200, seed=5)
    fitted = Abstention.fit(background, x, truth > 0.5)
    for prompt in ("", "the", "???", "zanzibar"):
        found = asked(shop_index, prompt)
        assert np.isfinite(abstention_inputs(background, shop_index, found)).all()
        assert 0 <= fitted.probability(shop_index, prompt, found[prompt]) <= 1
    assert abstention_inputs(background, shop_index, {}).shape == (0, N)


def test_json_brings_the_same_probabilities_back(
    trained: tuple[Abstention, dict[str, float], dict[str, float]], shop_index: CatalogIndex
) -> None:
    fitted = trained[0]
    again = Abstention.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert again.to_dict() == fitted.to_dict()
    for prompt, found in asked(shop_index, "list users", *SMALLTALK).items():
        stated = fitted.probability(shop_index, prompt, found)
        assert again.probability(shop_index, prompt, found) == stated


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda v: v.pop("inputs"), "must know the inputs"),
        (lambda v: v["means"].pop(), f"hold {N} means"),
        (lambda v: v.update(weights="x"), f"hold {4 * N + 1} weights"),
        (lambda v: v["weights"].__setitem__(0, float("nan")), f"hold {4 * N + 1} weights"),
        (lambda v: v["scales"].__setitem__(0, 0.0), "scales must be above 0, got 0"),
        (lambda v: v.update(background=[]), "background must be an object, got list"),
    ],
)
def test_values_of_another_form_are_refused(
    background: Background, change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    x, truth = drawn(100, seed=6)
    values = Abstention.fit(background, x, truth > 0.5).to_dict()
    change(values)
    with pytest.raises(ValueError, match=reason):
        Abstention.from_dict(values)


def test_nothing_to_learn_from_is_refused(background: Background) -> None:
    x, _ = drawn(10, seed=7)
    with pytest.raises(ValueError, match="foreign must have both kinds, got 0 of 10 foreign"):
        Abstention.fit(background, x, np.zeros(10))
    with pytest.raises(ValueError, match="both kinds, got 10 of 10"):
        Abstention.fit(background, x, np.ones(10))
    with pytest.raises(ValueError, match=rf"inputs must have the shape \(10, {N}\), got \(10, 3\)"):
        Abstention.fit(background, x[:, :3], np.ones(10))


def test_an_answer_says_how_likely_none_is(
    ranker: CallRanker,
    shop_index: CatalogIndex,
    trained: tuple[Abstention, dict[str, float], dict[str, float]],
) -> None:
    able = CallRanker(settings=ranker.settings)
    able.trees_, able.prior_, able.calibration_ = ranker.trees_, ranker.prior_, ranker.calibration_
    able.abstention_ = trained[0]
    history = calls_of(["users:GetUser"])
    for prompt in ("list the users", "cancel my order", "sing a song"):
        alone, after = able.answer(shop_index, prompt), able.answer(shop_index, prompt, history)
        expected = trained[0].probability(shop_index, prompt, asked(shop_index, prompt)[prompt])
        assert alone.none_probability == after.none_probability == pytest.approx(expected)
        plain = ranker.rank(shop_index, prompt, history)
        assert [(r.operation, r.score) for r in after.ranked] == [
            (r.operation, r.score) for r in plain
        ]
        assert ranker.answer(shop_index, prompt).none_probability is None
    assert len(able.answer(shop_index, "list", k=2).ranked) == 2
    able.abstention_ = replace(trained[0], background=replace(trained[0].background, model="x"))
    assert able.answer(shop_index, "sing a song").none_probability is None
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        able.answer(shop_index, "list", k=0)
