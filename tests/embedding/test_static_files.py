import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nextcall.embedding.static_embedder import StaticEmbedder
from nextcall.embedding.static_files import (
    EncoderCard,
    EncoderError,
    _digest,
    load_static,
    save_static,
)
from nextcall.embedding.wordpieces import N_PIECES
from nextcall.files import sha256_file

CARD = EncoderCard(
    catalog="shop", catalog_hash="0a1b", n_texts=12, made_at="2026-11-21T10:00:00+00:00",
    metrics={"dense.ndcg@10": 0.5},
)  # fmt: skip


def drawn(seed: int) -> StaticEmbedder:
    vectors = np.random.default_rng(seed).standard_normal((N_PIECES + 2, 4), dtype=np.float32)
    pairs = np.array([5, 900_000], dtype=np.int64)
    return StaticEmbedder.of(vectors, pairs=pairs, blank=np.ones(4), teacher="drawn")


@pytest.fixture(scope="module")
def embedder() -> StaticEmbedder:
    return drawn(0)


def test_what_is_read_encodes_as_what_was_written(embedder: StaticEmbedder, tmp_path: Path) -> None:
    save_static(embedder, tmp_path, card=CARD)
    read, card = load_static(tmp_path)
    texts = ["list all users", "", "naïve 東京"]
    np.testing.assert_array_equal(read.encode(texts), embedder.encode(texts))
    assert (read.name, read.teacher, card) == (embedder.name, "drawn", CARD)
    assert isinstance(read.table.base, np.memmap)
    computed = StaticEmbedder(
        table=read.table, steps=read.steps, pairs=read.pairs, blank=read.blank, teacher="drawn"
    )
    assert computed.name == read.name
    assert set(card.versions) == {"nextcall", "numpy", "scipy"}


def test_a_new_encoder_takes_the_place_of_the_old_one(
    embedder: StaticEmbedder, tmp_path: Path
) -> None:
    save_static(embedder, tmp_path, card=CARD)
    save_static(drawn(1), tmp_path, card=CARD)
    save_static(drawn(1), tmp_path, card=CARD)
    assert load_static(tmp_path)[0].name == drawn(1).name
    assert len(list(tmp_path.iterdir())) == 2


def _rewrite(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Change the file as one who knows its own hash would."""
    path = folder / "encoder.json"
    values = json.loads(path.read_text())
    del values["sha256"]
    change(values)
    path.write_text(json.dumps(values | {"sha256": _digest(values)}))


def _replace_arrays(folder: Path, **arrays: object) -> None:
    (path,) = folder.glob("*.npz")
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # whatever a stranger stores
    _rewrite(folder, lambda v: v.update(arrays={"file": path.name, "sha256": sha256_file(path)}))


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def _cut(folder: Path) -> None:
    (path,) = folder.glob("*.npz")
    path.write_bytes(path.read_bytes()[:-9])


def _lose(folder: Path) -> None:
    (path,) = folder.glob("*.npz")
    path.unlink()


def _no_archive(folder: Path) -> None:
    (path,) = folder.glob("*.npz")
    path.write_bytes(b"PK\x03\x04 and no more")
    _rewrite(folder, lambda v: v.update(arrays={"file": path.name, "sha256": sha256_file(path)}))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (_empty, "must hold a static encoder"),
    "no json": (lambda f: (f / "encoder.json").write_text("{"), "encoder.json: must be JSON"),
    "deep": (lambda f: (f / "encoder.json").write_text("[" * 99_999), "must be JSON"),
    "list": (lambda f: (f / "encoder.json").write_text("[]"), "must hold a JSON object, got list"),
    "format": (lambda f: _rewrite(f, lambda v: v.update(format="x.9")), "got 'x.9'"),
    "edited": (
        lambda f: (f / "encoder.json").write_text(
            (f / "encoder.json").read_text().replace("drawn", "other")
        ),
        "does not match its own sha256",
    ),
    "tokenizer": (lambda f: _rewrite(f, lambda v: v.update(tokenizer="ab")), "another tokenizer"),
    "no arrays": (lambda f: _rewrite(f, lambda v: v.pop("arrays")), "holds no whole encoder"),
    "no card": (lambda f: _rewrite(f, lambda v: v.update(card={"a": 1})), "holds no whole encoder"),
    "no file": (_lose, "cannot be read"),
    "cut": (_cut, "does not match the sha256 in encoder.json"),
    "no archive": (_no_archive, "holds no static encoder"),
    "an array less": (lambda f: _replace_arrays(f, table=np.zeros(3)), "holds no static encoder"),
    "objects": (
        lambda f: _replace_arrays(f, table=np.array([{}], dtype=object)),
        "allow_pickle=False",
    ),
    "wrong arrays": (
        lambda f: _replace_arrays(f, table=np.zeros(3), steps=[1], pairs=[2], blank=[3]),
        "table must be of int8",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_or_foreign_is_refused_with_the_reason(
    embedder: StaticEmbedder, tmp_path: Path, damage: str
) -> None:
    save_static(embedder, tmp_path, card=CARD)
    do, message = DAMAGE[damage]
    do(tmp_path)
    with pytest.raises(EncoderError, match=re.escape(message)):
        load_static(tmp_path)


def test_a_file_outside_the_folder_is_not_read(embedder: StaticEmbedder, tmp_path: Path) -> None:
    save_static(embedder, tmp_path / "a", card=CARD)
    save_static(embedder, tmp_path / "b", card=CARD)
    (path,) = (tmp_path / "a").glob("*.npz")
    path.unlink()
    stored = {"file": f"../b/{path.name}", "sha256": sha256_file(tmp_path / "b" / path.name)}
    _rewrite(tmp_path / "a", lambda values: values.update(arrays=stored))
    with pytest.raises(EncoderError, match="cannot be read"):
        load_static(tmp_path / "a")
