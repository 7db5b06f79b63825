"""What a service loads before it is asked for more than calls: memory that each worker holds."""

import subprocess
import sys

import pytest

from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings

_SERVING = """
import sys
from pathlib import Path
from nextcall.cli.serve import serve
from nextcall.resilience.breakers import Breakers
from nextcall.serve.app import create_app
from nextcall.serve.assistant.service_assistant import open_assistant
from nextcall.serve.caching.caches import open_caches
from nextcall.serve.loading import load_predictor, open_stores
from nextcall.serve.observer import open_observer
from nextcall.serve.parts import Parts
from nextcall.serve.process.server import run
from nextcall.serve.settings import load_settings
model, catalog, cache, database = sys.argv[1:]
settings = load_settings(
    model=Path(model), catalog=Path(catalog), cache_dir=Path(cache), database_url=database
)
predictor = load_predictor(settings)
predictor.warm()  # an answer with reasons among them
with (
    open_stores(settings) as stores,
    open_caches(settings, predictor) as caches,
    open_observer(settings) as observer,
):
    parts = Parts(
        trials=stores.trials, door=stores.door, caches=caches, observer=observer,
        feedback=stores.feedback, history=stores.history, ledger=stores.ledger,
        assistant=open_assistant(settings, stores.ledger, breakers=Breakers(), environment={}),
    )
    create_app(predictor, settings=settings, parts=parts)
print(*sys.modules, sep="\\n")
"""


@pytest.fixture(scope="module")
def loaded(
    predictor: Predictor, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> frozenset[str]:
    assert predictor.ranker is not None
    database = f"sqlite:///{tmp_path_factory.mktemp('database')}/a.db"
    paths = map(str, (settings.model, settings.catalog, settings.cache_dir))
    ran = subprocess.run(
        [sys.executable, "-c", _SERVING, *paths, database],
        capture_output=True,
        text=True,
        check=True,
    )
    return frozenset(ran.stdout.split())


@pytest.mark.parametrize(
    "library",
    [
        "pandas",  # 30 MB, for frames
        "scipy.stats",  # 45 MB, for A/B tests that are analysed
        "scipy.special",  # 10 MB, as scipy.stats
        "scipy.sparse",  # 10 MB, for matrices of the graph
        "sklearn",
        "lightgbm",  # 100 MB, for training; compiled trees score, and tell why
        "pyarrow.compute",
        "redis",  # 9 MB, where none is named
        "jwt",  # 9 MB, where no token is made
        "httpx",  # 6 MB, where nothing is measured
        "openai",  # 17 MB, where no key of a language model is set
        "anthropic",  # 44 MB, as openai
    ],
)
def test_a_service_loads_nothing_that_it_is_not_asked_for(
    loaded: frozenset[str], library: str
) -> None:
    assert "nextcall.serve.app" in loaded
    assert "nextcall.ranking.tree_contributions" in loaded  # the first reasons wait for nothing
    assert library not in loaded
