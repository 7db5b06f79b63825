"""A ranker on disk: read back bit for bit, or refused with the reason."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nextcall.embedding.onnx import OnnxEmbedder
from nextcall.ranking import signed_files
from nextcall.ranking.abstention import INPUTS, Abstention
from nextcall.ranking.background import Background
from nextcall.ranking.candidates import retrieve
from nextcall.ranking.index import CatalogIndex
from nextcall.ranking.model_files import (
    ModelCard,
    ModelError,
    load_ranker,
    packaged_abstention,
    save_ranker,
)
from nextcall.ranking.ranker import CallRanker
from nextcall.ranking.rows import QueryRows
from nextcall.sessions import calls_of

CARD = ModelCard(
    catalog="aws",
    catalog_hash="abc",
    embedder="minilm",
    trained_at="2026-01-05T12:00:00+00:00",
    seed=7,
    n_queries=123,
    metrics={"validation.ndcg@10": 1 / 3},
)
Values = dict[str, Any]


@pytest.fixture(scope="module")
def saved(ranker: CallRanker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_ranker(ranker, folder, card=CARD)
    return folder


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "model"))


@pytest.fixture(scope="module")
def newer(ranker: CallRanker, aws_rows: dict[str, QueryRows]) -> CallRanker:
    """Another ranker."""
    return CallRanker(settings=ranker.settings).fit_rows(
        aws_rows["validation"],
        validation=aws_rows["held_out"],
        prior=ranker.prior_,
        rng=np.random.default_rng(1),
    )


def _answers(ranker: CallRanker, index: CatalogIndex) -> list[tuple[str, float, float]]:
    return [
        (answer.operation.operation_id, answer.score, answer.confidence)
        for prompt in ("list users", "cancel the order", "")
        for history in ((), calls_of(["users:GetUser", "orders:GetOrder"]))
        for answer in ranker.rank(index, prompt, history, k=22)
    ]


def _rewrite(
    folder: Path,
    change: Callable[[Values], object],
    *,
    sign: bool = True,
    name: str = "ranker.json",
) -> None:
    """Change the values in the file; with `sign` their own hash is made right again."""
    path = folder / name
    values = json.loads(path.read_text())
    change(values)
    if sign:
        values.pop("sha256", None)
        text = json.dumps(values, sort_keys=True)
        values["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(values))


def test_a_ranker_comes_back_bit_for_bit(
    ranker: CallRanker, saved: Path, shop_index: CatalogIndex
) -> None:
    again, card = load_ranker(saved)
    assert _answers(again, shop_index) == _answers(ranker, shop_index)
    assert again.settings == ranker.settings
    assert (again.hard_negatives, again.random_negatives) == (25, 15)
    assert again.prior_.to_dict() == ranker.prior_.to_dict()
    assert card == CARD
    assert set(card.versions) == {"nextcall", "lightgbm", "numpy"}


def test_what_was_read_is_written_again_byte_for_byte(saved: Path, tmp_path: Path) -> None:
    again, card = load_ranker(saved)
    save_ranker(again, tmp_path, card=card)
    for path in saved.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_both_files_are_plain_text(saved: Path) -> None:
    names = sorted(path.name for path in saved.iterdir())
    assert names[0] == "ranker.json"
    assert len(names) == 2
    assert (saved / names[1]).read_text(encoding="ascii").startswith("tree\nversion=")
    values = json.loads((saved / names[0]).read_text(encoding="ascii"))
    assert values["card"] == asdict(CARD)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(file=st.integers(0, 1), at=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_changed_byte_is_refused_or_says_the_same(
    copy: Path, saved: Path, file: int, at: float, flip: int
) -> None:
    path = sorted(copy.iterdir())[file]
    content = (saved / path.name).read_bytes()
    position = int(at * len(content))
    changed = bytes([content[position] ^ flip])
    path.write_bytes(content[:position] + changed + content[position + 1 :])
    try:
        again, card = load_ranker(copy)
    except ModelError as error:
        assert str(copy) in str(error)  # noqa: PT017  # either outcome is right
    else:  # one white space for another
        assert content[position : position + 1].isspace()
        original, original_card = load_ranker(saved)
        assert card == original_card
        assert again.trees_.to_text() == original.trees_.to_text()
    finally:
        path.write_bytes(content)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(file=st.integers(0, 1), keep=st.floats(0, 1, exclude_max=True))
def test_a_file_that_is_cut_short_is_refused(
    copy: Path, saved: Path, file: int, keep: float
) -> None:
    path = sorted(copy.iterdir())[file]
    content = (saved / path.name).read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(ModelError, match=str(path)):
        load_ranker(copy)
    path.write_bytes(content)


def test_a_folder_without_a_ranker_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "no"):
        with pytest.raises(ModelError, match=rf"{folder}: must hold a ranker \(ranker.json\)"):
            load_ranker(folder)


def test_a_missing_tree_file_is_refused(copy: Path) -> None:
    [trees] = copy.glob("trees-*.txt")
    trees.unlink()
    with pytest.raises(ModelError, match=f"{trees}: cannot be read"):
        load_ranker(copy)


def test_trees_of_another_model_are_refused(copy: Path) -> None:
    [trees] = copy.glob("trees-*.txt")
    trees.write_text("tree\nversion=v4\n")
    with pytest.raises(ModelError, match=r"not match the sha256 in ranker\.json: it is damaged"):
        load_ranker(copy)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must be JSON"),
        ("{", "must be JSON"),
        ("[" * 100_000, "must be JSON"),
        ("[1, 2]", "must hold a JSON object"),
        ("null", "must hold a JSON object"),
        ("{}", "format must be 'nextcall.ranker.1', got None"),
        ('{"name": "pipeline", "format": "other"}', "format must be .* got 'other'"),
        ('{"format": "nextcall.ranker.1"}', "does not match its own sha256: it is damaged"),
        ("\x80\x04K\x01.", "must be JSON"),
    ],
)
def test_foreign_content_is_refused_with_the_reason(copy: Path, text: str, reason: str) -> None:
    (copy / "ranker.json").write_text(text, encoding="latin-1")
    with pytest.raises(ModelError, match=reason) as caught:
        load_ranker(copy)
    assert str(copy / "ranker.json") in str(caught.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda v: v.update(format="nextcall.ranker.2"), "format must be"),
        (lambda v: v["feature_names"].pop(), "features are not those of this version"),
        (lambda v: v["feature_names"].reverse(), "features are not those of this version"),
        (lambda v: v.pop("feature_names"), "no whole ranker"),
        (lambda v: v.pop("calibration"), "no whole ranker"),
        (lambda v: v["calibration"].update(weights=[1.0]), "calibration must hold 5 weights"),
        (lambda v: v["prior"].pop("states"), "no whole ranker"),
        (lambda v: v["prior"].update(order=0), "no whole ranker.*order must be at least 1"),
        (lambda v: v["settings"].update(depth=3), "no whole ranker.*depth"),
        (lambda v: v["card"].pop("catalog"), "no whole ranker.*catalog"),
        (lambda v: v.update(trees=[]), "no whole ranker"),
    ],
)
def test_a_whole_file_with_other_content_is_refused(
    copy: Path, change: Callable[[Values], object], reason: str
) -> None:
    _rewrite(copy, change)
    with pytest.raises(ModelError, match=reason):
        load_ranker(copy)


def test_a_file_changed_by_hand_is_refused(copy: Path) -> None:
    _rewrite(copy, lambda v: v["card"]["metrics"].update(ndcg=1.0), sign=False)
    with pytest.raises(ModelError, match="does not match its own sha256"):
        load_ranker(copy)


def test_trees_are_looked_for_beside_the_file_only(copy: Path, tmp_path: Path) -> None:
    [trees] = copy.glob("trees-*.txt")
    trees.rename(tmp_path / trees.name)
    _rewrite(copy, lambda v: v["trees"].update(file=f"../{trees.name}"))
    with pytest.raises(ModelError, match=f"{trees}: cannot be read"):
        load_ranker(copy)


def test_an_older_model_stays_usable_where_writing_fails(
    ranker: CallRanker,
    newer: CallRanker,
    copy: Path,
    shop_index: CatalogIndex,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The disk is full when the second file is written; then it is not."""
    monkeypatch.setattr(signed_files, "digest", lambda _: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        save_ranker(newer, copy, card=CARD)
    monkeypatch.undo()
    again, card = load_ranker(copy)
    assert card == CARD
    assert _answers(again, shop_index) == _answers(ranker, shop_index)


def test_a_newer_model_takes_the_place_of_the_older(newer: CallRanker, copy: Path) -> None:
    save_ranker(newer, copy, card=CARD)
    assert load_ranker(copy)[0].trees_.to_text() == newer.trees_.to_text()
    assert len(list(copy.iterdir())) == 2


def test_a_ranker_that_was_not_fitted_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be fitted before it is saved"):
        save_ranker(CallRanker(), tmp_path, card=CARD)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def able(ranker: CallRanker, shop_index: CatalogIndex, tmp_path: Path) -> Path:
    """A saved ranker that abstains; what it learned is chance."""
    rng = np.random.default_rng(0)
    made = CallRanker(settings=ranker.settings)
    made.trees_, made.prior_, made.calibration_ = ranker.trees_, ranker.prior_, ranker.calibration_
    made.abstention_ = Abstention.fit(
        Background.of_index(shop_index), rng.normal(size=(60, len(INPUTS))), rng.random(60) < 0.5
    )
    save_ranker(made, tmp_path, card=CARD)
    return tmp_path


def test_what_it_learned_of_abstaining_comes_back(
    ranker: CallRanker, able: Path, copy: Path, shop_index: CatalogIndex
) -> None:
    """A file without it, as older ones are, gives a ranker that never abstains."""
    again, _ = load_ranker(able)
    assert _answers(again, shop_index) == _answers(ranker, shop_index)
    stated = again.answer(shop_index, "sing a song").none_probability
    assert stated is not None
    assert 0 <= stated <= 1
    assert load_ranker(copy)[0].abstention_ is None
    assert able.joinpath("ranker.json").read_bytes() == copy.joinpath("ranker.json").read_bytes()


def test_abstention_is_put_beside_another_ranker_as_a_file(
    newer: CallRanker, able: Path, tmp_path: Path, shop_index: CatalogIndex
) -> None:
    """A ranker that is trained anew takes over what the one before had learned of abstaining."""
    other = tmp_path / "other"
    save_ranker(newer, other, card=CARD)
    shutil.copy(able / "abstention.json", other)
    joined, _ = load_ranker(other)
    assert _answers(joined, shop_index) == _answers(newer, shop_index)
    before, _ = load_ranker(able)
    assert joined.abstention_ is not None
    assert joined.abstention_.to_dict() == before.abstention_.to_dict()  # type: ignore[union-attr]  # it has one
    save_ranker(newer, other, card=CARD)  # one that has not learned it leaves none
    assert load_ranker(other)[0].abstention_ is None


def test_a_damaged_abstention_is_refused(able: Path) -> None:
    name = "abstention.json"
    _rewrite(able, lambda v: v["abstention"]["means"].pop(), sign=False, name=name)
    with pytest.raises(ModelError, match=r"abstention.json: its content does not match"):
        load_ranker(able)
    _rewrite(able, lambda _: None, name=name)
    with pytest.raises(ModelError, match=r"no whole abstention.*hold 20 means"):
        load_ranker(able)
    _rewrite(able, lambda v: v.update(abstention=[]), name=name)
    with pytest.raises(ModelError, match="no whole abstention"):
        load_ranker(able)
    _rewrite(able, lambda v: v.update(format="nextcall.ranker.1"), name=name)
    with pytest.raises(ModelError, match=r"format must be 'nextcall\.abstention\.1', got"):
        load_ranker(able)


def test_the_packaged_ranker_tells_what_no_shop_has(shop_index: CatalogIndex) -> None:
    """Prompts of the shop, and of a world that it is not."""
    abstention = packaged_abstention(shop_index)
    assert abstention is not None
    own = ("list the users", "cancel my pending order", "send the invoice by email")
    foreign = ("sing me a song", "what is the weather in Paris", "transcribe this recording")
    stated = [
        abstention.probability(shop_index, prompt, retrieve(shop_index, prompt))
        for prompt in (*own, *foreign)
    ]
    assert max(stated[:3]) < 0.5
    assert min(stated[3:]) > 0.8
    unknown = CatalogIndex(
        shop_index.catalog, Unlike(), vectors=(shop_index.text_vectors, shop_index.label_vectors)
    )
    assert packaged_abstention(unknown) is None


class Unlike(OnnxEmbedder):
    """The same vectors under the name of another model."""

    @property
    def name(self) -> str:
        return "unlike-128"
