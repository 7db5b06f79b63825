"""An adapted ranker on disk: ranks as before to the last bit, or is refused with the reason."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextcall.ranking.adaptation import ADAPTED_SETTINGS, adapt_ranker
from nextcall.ranking.adapted_files import load_adapted, save_adapted
from nextcall.ranking.adapted_ranker import AdaptedRanker
from nextcall.ranking.any_ranker import check_ranker, load_any_ranker
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.model_files import (
    ModelCard,
    ModelError,
    load_ranker,
    packaged_abstention,
    save_ranker,
)
from nextcall.ranking.ranker import CallRanker
from nextcall.sessions import Call, Query, Session, calls_of
from nextcall.sessions.queries import next_call_queries

BASE_CARD = ModelCard(
    catalog="aws",
    catalog_hash="abc",
    embedder="minilm",
    trained_at="2026-01-05T12:00:00+00:00",
    seed=7,
    n_queries=123,
)
CARD = replace(BASE_CARD, catalog="shop", seed=3, n_queries=60, metrics={"gain": 1 / 3})
THINGS = ("books", "lamps", "chairs", "pens", "mugs", "rugs", "maps", "hats", "toys", "bags")
RUNS = (
    ("orders:StartOrderExport", "billing:ListInvoices", "billing:ListInvoices"),
    ("orders:ListOrders", "users:DeleteUser"),
)
PROMPTS = ("list my orders of candles please", "monthly report on lamps", "", "naïve 支付 rug", "x")
Values = dict[str, Any]


def _queries(n: int = 20) -> list[Query]:
    sessions = []
    for number in range(n):
        thing = THINGS[number % 10]
        told = f"list my orders of {thing} please" if number % 2 else f"monthly report on {thing}"
        calls = tuple(Call(operation_id=name, prompt=told) for name in RUNS[number % 2])
        sessions.append(Session(session_id=f"s{number}", user_id="u", calls=calls))
    return next_call_queries(sessions)


def _adapt(ranker: CallRanker, index: CatalogIndex, queries: Sequence[Query]) -> AdaptedRanker:
    grown = replace(ADAPTED_SETTINGS, trees=20, min_rows_in_leaf=5)
    return adapt_ranker(ranker, index, queries, rng=np.random.default_rng(0), settings=grown)


@pytest.fixture(scope="module")
def adapted(ranker: CallRanker, shop_index: CatalogIndex) -> AdaptedRanker:
    able = CallRanker(settings=ranker.settings)
    able.trees_, able.prior_, able.calibration_ = ranker.trees_, ranker.prior_, ranker.calibration_
    able.abstention_ = packaged_abstention(shop_index)
    return _adapt(able, shop_index, _queries())


@pytest.fixture(scope="module")
def prompts_alone(ranker: CallRanker, shop_index: CatalogIndex) -> AdaptedRanker:
    """One that knows no sessions, only answers of prompts."""
    asked = [replace(each, task="retrieval", history=()) for each in _queries() if not each.history]
    return _adapt(ranker, shop_index, asked)


@pytest.fixture(scope="module")
def saved(adapted: AdaptedRanker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_adapted(adapted, folder, card=CARD, base_card=BASE_CARD)
    return folder


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "model"))


def _told(ranker: AdaptedRanker, index: CatalogIndex, *asked: object, **options: Any) -> object:
    """Give all that a ranker says, each number by its bits."""
    found = ranker.answer(index, *asked, k=30, **options)  # type: ignore[arg-type]
    return found.none_probability, [
        (
            each.operation.operation_id,
            each.rank,
            each.score.hex(),
            each.confidence.hex(),
            each.similarity.hex(),
            each.features.tobytes(),
        )
        for each in found.ranked
    ]


def _sign(path: Path, values: Values) -> None:
    values.pop("sha256", None)
    told = json.dumps(values, sort_keys=True)
    values["sha256"] = hashlib.sha256(told.encode()).hexdigest()
    path.write_text(json.dumps(values))


def _rewrite(folder: Path, change: Callable[[Values], object], *, sign: bool = True) -> None:
    path = folder / "ranker.json"
    values = json.loads(path.read_text())
    change(values)
    if sign:
        _sign(path, values)
    else:
        path.write_text(json.dumps(values))


def _rewrite_arrays(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change arrays as one does who knows how their file is proved."""
    [path] = folder.glob("evidence-*.npz")
    with path.open("rb") as file, np.load(file) as stored:
        arrays = dict(stored)
    change(arrays)
    with path.open("wb") as written:
        np.savez(written, **arrays)
    proof = hashlib.sha256(path.read_bytes()).hexdigest()
    _rewrite(folder, lambda values: values["evidence"].update(sha256=proof))


@pytest.fixture(scope="module")
def again(saved: Path) -> AdaptedRanker:
    return load_adapted(saved)[0]


def test_an_adapted_ranker_comes_back(
    adapted: AdaptedRanker, again: AdaptedRanker, saved: Path
) -> None:
    ranker, card = load_any_ranker(saved)
    assert isinstance(ranker, AdaptedRanker)
    assert card == CARD
    assert ranker.digest == again.digest == adapted.digest
    assert ranker.base.digest == adapted.base.digest
    assert ranker.abstention_ is not None
    assert again.evidence.content_hash == adapted.evidence.content_hash


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_it_ranks_as_before_to_the_last_bit(
    adapted: AdaptedRanker, again: AdaptedRanker, shop_index: CatalogIndex, data: st.DataObject
) -> None:
    names = [each.operation_id for each in shop_index.catalog]
    prompts = st.one_of(st.sampled_from(PROMPTS), st.text(max_size=40))
    run = calls_of(data.draw(st.lists(st.sampled_from([*names, "no:such"]), max_size=5)))
    options = {
        "context": data.draw(st.lists(prompts, max_size=2)),
        "task": data.draw(st.sampled_from(["next_call", "retrieval"])),
    }
    prompt = data.draw(prompts)
    expected = _told(adapted, shop_index, prompt, run, **options)
    assert _told(again, shop_index, prompt, run, **options) == expected


@pytest.mark.parametrize("prompt", PROMPTS)
def test_so_does_one_that_knows_no_sessions(
    prompts_alone: AdaptedRanker, shop_index: CatalogIndex, tmp_path: Path, prompt: str
) -> None:
    save_adapted(prompts_alone, tmp_path, card=CARD, base_card=BASE_CARD)
    again, _ = load_adapted(tmp_path)
    assert not again.evidence.ordered
    for run in ((), calls_of(RUNS[0])):
        expected = _told(prompts_alone, shop_index, prompt, run)
        assert _told(again, shop_index, prompt, run) == expected


def test_what_was_read_is_written_again_byte_for_byte(saved: Path, tmp_path: Path) -> None:
    again, card = load_adapted(saved)
    save_adapted(again, tmp_path, card=card, base_card=BASE_CARD)
    files = sorted(path.relative_to(saved) for path in saved.rglob("*") if path.is_file())
    assert len(files) == 6
    assert files == sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    for path in files:
        assert (tmp_path / path).read_bytes() == (saved / path).read_bytes()


def test_contributions_sum_to_scores(adapted: AdaptedRanker, shop_index: CatalogIndex) -> None:
    ranked = adapted.rank(shop_index, PROMPTS[0], calls_of(RUNS[1][:1]), k=9)
    added = adapted.contributions(np.stack([each.features for each in ranked]))
    assert added.shape == (9, len(adapted.feature_names) + 1)
    assert added.sum(axis=1) == pytest.approx([each.score for each in ranked], abs=1e-6)


def test_another_model_takes_its_place_and_its_files(
    adapted: AdaptedRanker,
    prompts_alone: AdaptedRanker,
    ranker: CallRanker,
    tmp_path: Path,
) -> None:
    save_ranker(ranker, tmp_path, card=BASE_CARD)
    for one in (adapted, prompts_alone):
        save_adapted(one, tmp_path, card=CARD, base_card=BASE_CARD)
        assert load_adapted(tmp_path)[0].digest == one.digest
        kinds = sorted(path.name.partition("-")[0] for path in tmp_path.iterdir())
        assert kinds == ["base", "evidence", "ranker.json", "trees"]
        with pytest.raises(ModelError, match=r"must be 'nextcall.ranker.1', got 'nextcall.adapted"):
            load_ranker(tmp_path)
    save_ranker(ranker, tmp_path, card=BASE_CARD)
    again, card = load_any_ranker(tmp_path)
    assert isinstance(again, CallRanker)
    assert card == BASE_CARD
    assert sorted(path.name.partition("-")[0] for path in tmp_path.iterdir()) == [
        "ranker.json",
        "trees",
    ]


def test_a_save_that_is_cut_off_leaves_the_model_before_it(
    copy: Path,
    adapted: AdaptedRanker,
    prompts_alone: AdaptedRanker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cut(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("nextcall.ranking.adapted_files.write_values", cut)
    with pytest.raises(OSError, match="No space left"):
        save_adapted(prompts_alone, copy, card=CARD, base_card=BASE_CARD)
    assert load_adapted(copy)[0].digest == adapted.digest


@settings(suppress_health_check=list(HealthCheck), max_examples=60, deadline=None)
@given(file=st.integers(0, 5), at=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_changed_byte_is_refused_or_says_the_same(
    copy: Path, saved: Path, adapted: AdaptedRanker, file: int, at: float, flip: int
) -> None:
    name = sorted(path.relative_to(saved) for path in saved.rglob("*") if path.is_file())[file]
    content = (saved / name).read_bytes()
    place = int(at * len(content))
    (copy / name).write_bytes(
        content[:place] + bytes([content[place] ^ flip]) + content[place + 1 :]
    )
    try:
        again, card = load_adapted(copy)
    except ModelError as error:
        assert str(copy) in str(error)  # noqa: PT017  # either outcome is right
    else:  # one white space for another
        assert content[place : place + 1].isspace()
        assert (card, again.digest) == (CARD, adapted.digest)
    finally:
        (copy / name).write_bytes(content)


@pytest.mark.parametrize("file", range(5))
def test_a_file_that_is_cut_short_or_gone_is_refused(copy: Path, file: int) -> None:
    names = [path for path in copy.rglob("*") if path.is_file() and path.name != "abstention.json"]
    path = sorted(names)[file]
    content = path.read_bytes()
    for keep in (0, 1, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:keep])
        with pytest.raises(ModelError, match=str(path)):
            load_any_ranker(copy)
    path.unlink()
    with pytest.raises(ModelError, match=str(path.parent)):
        load_any_ranker(copy)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    for read in (load_adapted, load_any_ranker):
        with pytest.raises(ModelError, match=r"must hold a ranker \(ranker.json\), found none"):
            read(tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda v: v.update(feature_names=["a"]), "its features are not those of this version"),
        (lambda v: v.pop("card"), "holds no whole adapted ranker: KeyError"),
        (lambda v: v.update(weights=None), "holds no whole adapted ranker"),
        (lambda v: v["weights"].pop("base_score"), "holds no whole adapted ranker: KeyError"),
        (lambda v: v["weights"].update(base_score=float("nan")), "its weights must be finite"),
        (lambda v: v.update(tree_weight=float("inf")), "its weights must be finite"),
        (lambda v: v.update(evidence=[]), "holds no whole adapted ranker"),
        (lambda v: v["base"].update(sha256="0"), "is not the base that ranker.json names"),
        (lambda v: v["base"].update(folder="../.."), "must hold a ranker"),
        (lambda v: v["calibration"].update(weights=[1]), "must hold 5 weights"),
        (lambda v: v["trees"].update(sha256="0"), "does not match the sha256 in ranker.json"),
        (lambda v: v["evidence"].update(sha256="0"), "does not match the sha256 in ranker.json"),
    ],
)
def test_foreign_values_are_refused_with_the_reason(
    copy: Path, change: Callable[[Values], object], reason: str
) -> None:
    _rewrite(copy, change)
    with pytest.raises(ModelError, match=reason):
        load_adapted(copy)


def test_values_that_nobody_signed_are_refused(copy: Path) -> None:
    _rewrite(copy, lambda values: values.update(tree_weight=0.0), sign=False)
    with pytest.raises(ModelError, match="does not match its own sha256"):
        load_any_ranker(copy)


def _set(name: str, change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], object]:
    return lambda arrays: arrays.update({name: change(arrays[name])})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda a: a.pop("votes.seen"), "votes.seen must be given, found none"),
        (_set("votes.seen", lambda x: x + 10_000), "votes.seen must lie from 0 to below 22"),
        (_set("votes.seen", lambda x: x - 10_000), "votes.seen must lie from 0 to below 22"),
        (_set("votes.weights", lambda x: x[:-1]), "votes.weights must be <f8 of shape"),
        (_set("votes.share", lambda x: x.astype("f4")), "votes.share must be <f8 of shape"),
        (_set("votes.code", lambda x: x * 0), "code must name each operation"),
        (_set("terms.lift", lambda x: x[:, 1:]), "terms.lift must be <f8 of shape"),
        (_set("counts.action", lambda x: x + 100), "calls and actions must be those of sessions"),
        (_set("counts.lengths", lambda x: x[1:]), "lengths must sum to the number of calls"),
        (_set("counts.calls", lambda x: x[:0]), "must"),
        (_set("prompts.words.starts", lambda x: x[::-1].copy()), "starts must rise from 0"),
        (_set("prompts.words.columns", lambda x: x + 10_000), "words.columns must lie from 0"),
        (_set("states.histories.last", lambda x: x + 23), "last must lie from 0 to below 23"),
        (_set("prompts.terms", lambda x: x | 0x80), "codec can't decode"),
        (_set("prompts.vectors", np.asfortranarray), "as long as its shape"),
    ],
)
def test_foreign_arrays_are_refused_with_the_reason(
    copy: Path, change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    _rewrite_arrays(copy, change)
    with pytest.raises(ModelError, match=reason) as caught:
        load_adapted(copy)
    assert "evidence-" in str(caught.value)


def test_nothing_is_run_and_nothing_unpacked(copy: Path) -> None:
    [path] = copy.glob("evidence-*.npz")
    with path.open("wb") as file:
        np.savez_compressed(file, large=np.zeros(1_000_000))
    for name, content in (("packed", path.read_bytes()), ("pickled", None), ("none", b"PK")):
        if content is None:
            with path.open("wb") as file:
                np.savez(file, objects=np.array([{}], dtype=object))
        else:
            path.write_bytes(content)
        proof = hashlib.sha256(path.read_bytes()).hexdigest()
        _rewrite(copy, lambda values, proof=proof: values["evidence"].update(sha256=proof))  # type: ignore[misc]
        with pytest.raises(ModelError, match="must hold plain arrays"):
            load_adapted(copy)
        assert name


def test_a_shape_larger_than_the_file_is_refused(copy: Path) -> None:
    [path] = copy.glob("evidence-*.npz")
    content = path.read_bytes()
    at = content.index(b"'shape': (")
    told = content[at : content.index(b")", at)]
    huge = b"'shape': (9" + told.removeprefix(b"'shape': (")[1:]

    with zipfile.ZipFile(path) as stored:
        members = {each: stored.read(each) for each in stored.namelist()}
    first = next(iter(members))
    members[first] = members[first].replace(told, huge)
    with zipfile.ZipFile(path, "w") as stored:
        for name, data in members.items():
            stored.writestr(name, data)
    proof = hashlib.sha256(path.read_bytes()).hexdigest()
    _rewrite(copy, lambda values: values["evidence"].update(sha256=proof))
    with pytest.raises(ModelError, match="as long as its shape"):
        load_adapted(copy)


def test_an_index_of_other_vectors_is_refused(
    again: AdaptedRanker, shop_index: CatalogIndex
) -> None:
    class Other:
        name, dimensions = "other", 384
        encode = shop_index.embedder.encode

    other = shop_index.with_embedder(Other())
    with pytest.raises(ValueError, match=r"must encode prompts by .* got 'other'"):
        again.rank(other, "list", k=1)
    with pytest.raises(ModelError, match=r"model: index must encode prompts by .* got 'other'"):
        check_ranker(again, other, Path("model"))
    check_ranker(again, shop_index, Path("model"))
    check_ranker(again.base, other, Path("model"))
