"""Fourteen real services with their real prompts, one of them with none, indexed once."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nextcall.catalog import Catalog
from nextcall.catalog.aws import read_aws
from nextcall.embedding.onnx import OnnxEmbedder
from nextcall.embedding.static_embedder import LONGEST, StaticEmbedder
from nextcall.embedding.static_files import EncoderCard
from nextcall.embedding.wordpieces import N_PIECES, WordPieces, piece_texts
from nextcall.ranking.boosting import BoostingSettings
from nextcall.ranking.index import CatalogIndex
from nextcall.sessions import Query
from nextcall.sessions.awscli_examples import read_awscli_examples
from nextcall.training.folds import share_out_services
from nextcall.training.prompt_encoder import catalog_views, distill_for
from nextcall.training.recipe import Material, Recipe, prepare

ASKED_SERVICES = (
    *("acm", "cloud9", "codeguru-reviewer", "ecr-public", "elb", "medical-imaging", "mediastore"),
    *("networkmonitor", "oam", "route53profiles", "secretsmanager", "sqs", "sts"),
)
FREE_SERVICE = "mq"  # no prompt is about it


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    folder = tmp_path_factory.mktemp("botocore")
    spec = find_spec("botocore")
    assert spec is not None
    assert spec.origin is not None
    for service in (*ASKED_SERVICES, FREE_SERVICE):
        (folder / service).symlink_to(Path(spec.origin).parent / "data" / service)
    return read_aws(data=folder)


@pytest.fixture(scope="session")
def index(aws: Catalog, tmp_path_factory: pytest.TempPathFactory) -> CatalogIndex:
    return CatalogIndex(aws, OnnxEmbedder(max_tokens=32), cache=tmp_path_factory.mktemp("vectors"))


@pytest.fixture(scope="session")
def prompts(aws: Catalog) -> list[Query]:
    return read_awscli_examples(aws)


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return Recipe(
        boosting=BoostingSettings(trees=12, leaves=7, ignored=("service_size",)),
        hard_negatives=10,
        random_negatives=5,
        sessions=60,
        prior_sessions=80,
    )


@pytest.fixture(scope="session")
def part_of(aws: Catalog, prompts: list[Query]) -> dict[str, int]:
    return share_out_services(aws.services, [aws[q.relevant[0]].service for q in prompts])


@pytest.fixture(scope="session")
def material(
    index: CatalogIndex, prompts: list[Query], recipe: Recipe, part_of: dict[str, int]
) -> Material:
    rng = np.random.default_rng(5)
    return prepare(index, prompts, recipe=recipe, rng=rng, part_of=part_of)


@pytest.fixture(scope="session")
def pieces(index: CatalogIndex, prompts: list[Query]) -> NDArray[np.float32]:
    """The teacher's vectors of the pieces that stand here; all 30,522 would take half a minute."""
    wordpieces = WordPieces(longest=LONGEST)
    texts = [text for view in catalog_views(index.catalog) for text in view]
    texts += [query.prompt for query in prompts]
    present = sorted({piece for text in texts for piece in wordpieces.cut(text)})
    known = piece_texts()
    encoded = index.embedder.encode([known[piece] for piece in present])
    vectors = np.tile(encoded.mean(axis=0), (N_PIECES, 1))
    vectors[present] = encoded
    return vectors


@pytest.fixture(scope="session")
def distilled(
    index: CatalogIndex, pieces: NDArray[np.float32]
) -> tuple[StaticEmbedder, EncoderCard]:
    return distill_for(index, pieces)
