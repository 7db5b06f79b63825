"""A new model is held against another on queries that neither learned from."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from nextcall.ranking.comparison import paired_difference
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.metrics import ndcg
from nextcall.ranking.model_files import ModelError, forget_prompts, load_ranker
from nextcall.ranking.ranker import CallRanker
from nextcall.ranking.workflow import WorkflowPrior
from nextcall.sessions import Call, Query
from nextcall.sessions.queries import observed_sessions
from nextcall.training.held_out import HeldOut, load_learned, query_digest, save_learned
from nextcall.training.judged import load_judged, model_digest, save_judged
from nextcall.training.judging import MOST, judge
from nextcall.training.opening import save_trained
from nextcall.training.recipe import Recipe
from nextcall.training.train import Trained, train_for_use


@pytest.fixture(scope="module")
def few(recipe: Recipe) -> Recipe:
    return replace(recipe, sessions=20, prior_sessions=20)


@pytest.fixture(scope="module")
def trained(index: CatalogIndex, prompts: list[Query], few: Recipe) -> Trained:
    return train_for_use(index, prompts, recipe=few, seed=2)


@pytest.fixture(scope="module")
def present(
    index: CatalogIndex, prompts: list[Query], few: Recipe, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Save a ranker of one tree that does not say what it learned from."""
    poor = replace(few, boosting=replace(few.boosting, trees=1, leaves=2))
    made = train_for_use(index, prompts, recipe=poor, seed=3)
    folder = tmp_path_factory.mktemp("present")
    save_trained(made.ranker, folder, card=made.card)
    return folder


def gain(ranker: CallRanker, index: CatalogIndex, query: Query) -> float:
    """Compute NDCG@10 of one list, as it is defined."""
    shown = ranker.rank(index, query.prompt, query.history, k=10)
    right = [float(each.operation.operation_id in query.relevant) for each in shown]
    missed = [1.0] * (len(query.relevant) - int(sum(right)))
    return ndcg([*right, *missed], -np.arange(len(right) + len(missed)), k=10)


def test_whole_services_are_held_out(
    trained: Trained, prompts: list[Query], index: CatalogIndex, part_of: Mapping[str, int]
) -> None:
    held_out = trained.held_out
    assert set(held_out.groups) == {name for name, part in part_of.items() if part == 1}
    asked = {query.prompt for query in prompts}
    assert {query.prompt for query in held_out.queries} <= asked  # nothing that was simulated
    assert {bool(query.history) for query in held_out.queries} == {False, True}
    for query, group, digest in zip(
        held_out.queries, held_out.groups, held_out.digests, strict=True
    ):
        assert index.catalog[query.relevant[0]].service == group
        assert digest == query_digest(replace(query, history=()))
    assert not trained.learned & set(held_out.digests)
    given = {query_digest(query) for query in prompts}
    assert trained.learned | set(held_out.digests) <= given
    assert len(trained.learned) > 0.7 * len(given)


def test_whole_sessions_are_held_out_and_teach_no_transitions(
    index: CatalogIndex, prompts: list[Query], few: Recipe
) -> None:
    own = [each for each in prompts if each.source in {"sqs", "elb"}][:40]
    asked = [
        replace(
            query,
            task="next_call",
            session_id=f"s{place // 2}",
            history=(Call(operation_id=own[place - 1].relevant[0]),) if place % 2 else (),
        )
        for place, query in enumerate(own)
    ]
    observed = observed_sessions(asked)
    trained = train_for_use(index, asked, recipe=few, seed=2, observed=observed)
    held_out = trained.held_out
    assert set(held_out.groups) == {query.session_id for query in held_out.queries}
    assert {query_digest(query) for query in asked} == trained.learned | set(held_out.digests)
    taught = [each for each in observed if each.session_id not in held_out.groups]
    assert len(taught) < len(observed)
    expected = WorkflowPrior.fit(index, taught).to_dict()
    assert trained.ranker.prior_.to_dict() == expected
    assert expected != WorkflowPrior.fit(index, observed).to_dict()


def test_both_are_judged_by_the_same_queries(
    trained: Trained, present: Path, index: CatalogIndex, tmp_path: Path
) -> None:
    held_out = trained.held_out
    found = judge(
        trained.ranker,
        present,
        held_out,
        learned=trained.learned,
        index=index,
        cache=tmp_path,
        rng=np.random.default_rng(0),
    )
    other, _ = load_ranker(present)
    new, old = (
        [gain(each, index, query) for query in held_out.queries] for each in (trained.ranker, other)
    )
    assert found.on_same is not None
    assert len(held_out) <= MOST
    assert found.on_same.queries == len(held_out)
    assert found.on_same.ndcg == pytest.approx(np.mean(new))
    assert found.on_same.present_ndcg == pytest.approx(np.mean(old))
    assert found.on_same.difference == pytest.approx(np.mean(new) - np.mean(old))
    assert (found.left_out, found.may_have_learned) == (0, True)
    assert found.against == model_digest(present)
    groups = list(held_out.groups)
    assert found.on_same.groups == len(set(groups))
    if len(set(groups)) > 1:
        span = paired_difference(new, old, groups=groups, rng=np.random.default_rng(0))
        assert (found.on_same.ci_lower, found.on_same.ci_upper) == pytest.approx(
            (span.ci_lower, span.ci_upper)
        )
    else:
        assert found.on_same.ci_lower is found.on_same.ci_upper is None


def grouped(held_out: HeldOut, n: int) -> HeldOut:
    return replace(held_out, groups=tuple(f"g{place % n}" for place in range(len(held_out))))


def test_the_interval_is_that_of_whole_groups(
    trained: Trained, present: Path, index: CatalogIndex, tmp_path: Path
) -> None:
    spans, differences = [], set()
    for n in (1, 4, len(trained.held_out)):
        found = judge(
            trained.ranker,
            present,
            grouped(trained.held_out, n),
            learned=trained.learned,
            index=index,
            cache=tmp_path,
            rng=np.random.default_rng(0),
        ).on_same
        assert found is not None
        assert found.groups == n
        spans.append((found.ci_lower, found.ci_upper))
        differences.add(found.difference)
    assert spans[0] == (None, None)  # of one group nothing can be said
    (difference,) = differences
    for lower, upper in spans[1:]:
        assert lower is not None
        assert upper is not None
        assert lower <= difference <= upper


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_what_the_other_learned_from_is_left_out(
    trained: Trained, index: CatalogIndex, present: Path, tmp_path: Path, share: float
) -> None:
    folder = copytree(present, tmp_path / "told")
    trees = json.loads((folder / "ranker.json").read_text())["trees"]["sha256"]
    bare = sorted(set(trained.held_out.digests))
    known = bare[: int(share * len(bare))]
    save_learned([*known, "0" * 16], folder, trees=trees)
    held_out = trained.held_out
    left = [i for i, each in enumerate(held_out.digests) if each not in known]
    found = judge(
        trained.ranker,
        folder,
        held_out,
        learned=trained.learned,
        index=index,
        cache=tmp_path,
        rng=np.random.default_rng(0),
    )
    assert (found.left_out, found.may_have_learned) == (len(held_out) - len(left), False)
    if len(left) < 0.1 * len(held_out):  # too few tell less than either model's own
        assert share > 0.9
        assert found.on_same is None
        return
    alone = judge(
        trained.ranker,
        present,
        held_out.select(left),
        learned=trained.learned,
        index=index,
        cache=tmp_path,
        rng=np.random.default_rng(0),
    )
    assert found.on_same == alone.on_same


def test_what_the_new_one_learned_from_elsewhere_is_left_out(
    trained: Trained, index: CatalogIndex, present: Path, tmp_path: Path
) -> None:
    held_out = trained.held_out
    known = set(held_out.digests[::3])  # as where another session asked the same
    left = [i for i, each in enumerate(held_out.digests) if each not in known]
    assert 0 < len(left) < len(held_out)
    found, alone = (
        judge(
            trained.ranker,
            present,
            queries,
            learned=learned,
            index=index,
            cache=tmp_path,
            rng=np.random.default_rng(0),
        )
        for queries, learned in ((held_out, known), (held_out.select(left), ()))
    )
    assert found == alone
    assert found.left_out == 0


def test_only_some_hundred_are_asked(
    trained: Trained, present: Path, index: CatalogIndex, tmp_path: Path
) -> None:
    n = len(trained.held_out)
    many = trained.held_out.select([i % n for i in range(MOST + 50)])
    draws = [
        judge(
            trained.ranker,
            present,
            many,
            learned=trained.learned,
            index=index,
            cache=tmp_path,
            rng=np.random.default_rng(seed),
        ).on_same
        for seed in (0, 0, 1)
    ]
    assert {each.queries for each in draws if each is not None} == {MOST}
    assert draws[0] == draws[1] != draws[2]


def test_a_model_of_another_catalogue_cannot_be_held_against(
    trained: Trained, index: CatalogIndex, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="must hold a ranker"):
        judge(
            trained.ranker,
            tmp_path,
            trained.held_out,
            learned=trained.learned,
            index=index,
            cache=tmp_path,
            rng=np.random.default_rng(0),
        )


def test_what_is_kept_is_read_again(trained: Trained, present: Path, tmp_path: Path) -> None:
    assert load_learned(tmp_path, trees="a" * 64) is None
    save_learned(trained.learned, tmp_path, trees="a" * 64)
    assert load_learned(tmp_path, trees="a" * 64) == trained.learned
    assert load_learned(tmp_path, trees="b" * 64) is None
    assert load_judged(present, trees="a" * 64) is None
    for broken in ('{"format": "nextcall.learned.1"}', '{"format": "other"}', "[]"):
        (tmp_path / "learned-aaaaaaaaaaaa.json").write_text(broken)
        with pytest.raises(ModelError):
            load_learned(tmp_path, trees="a" * 64)
    save_learned([], tmp_path, trees="a" * 64)
    forget_prompts(tmp_path)
    assert load_learned(tmp_path, trees="a" * 64) is None


def test_a_judgement_is_kept_beside_its_model_alone(
    trained: Trained, index: CatalogIndex, present: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "new"
    save_trained(trained.ranker, folder, card=trained.card)
    judged = judge(
        trained.ranker,
        present,
        trained.held_out,
        learned=trained.learned,
        index=index,
        cache=tmp_path,
        rng=np.random.default_rng(0),
    )
    trees = trained.ranker.digest
    for each in (judged, replace(judged, on_same=None)):
        save_judged(each, folder, trees=trees)
        assert load_judged(folder, trees=trees) == each
    path = folder / f"judged-{trees[:12]}.json"
    path.write_text(path.read_text().replace('"left_out": 0', '"left_out": 1'))
    with pytest.raises(ModelError, match="it is damaged"):
        load_judged(folder, trees=trees)
    save_trained(trained.ranker, folder, card=trained.card)  # trained anew, and not judged
    assert load_judged(folder, trees=trees) is None


def test_parts_of_unlike_lengths_are_refused(trained: Trained) -> None:
    with pytest.raises(ValueError, match=r"^queries, groups and digests must be equally many"):
        replace(trained.held_out, groups=())
