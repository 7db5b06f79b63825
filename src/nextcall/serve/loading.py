"""From settings to something that answers: catalogue, index, ranker, tests, each where it lies."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nextcall.catalog.load import load_catalog
from nextcall.embedding.static_files import EncoderError
from nextcall.progress import Progress, silent
from nextcall.ranking.model_files import ModelError, load_ranker
from nextcall.serve.door import Door, open_door
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings
from nextcall.storage.opening import open_database
from nextcall.training.opening import open_for_model, open_index
from nextcall.trials.trials import Trials


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """What a service keeps in its database: A/B tests, and who may ask."""

    trials: Trials
    door: Door


@contextmanager
def open_stores(settings: Settings) -> Iterator[Stores]:
    """Open what is kept in the database that is set; when the block ends, what waits is written.

    Raises
    ------
    ValueError, OSError
        Where the database cannot be opened (see `open_database`), or the front door (`open_door`).
    """
    with (
        open_database(settings.database_url) as database,
        Trials(database) as trials,
        open_door(settings, database) as door,
    ):
        yield Stores(trials=trials, door=door)


def load_predictor(settings: Settings, *, progress: Progress = silent) -> Predictor:
    """Load what `settings` name; vectors come from the cache folder, or are left there.

    Where the model is missing or damaged, the predictor answers by fused retrieval and says why.

    Raises
    ------
    CatalogError, OSError
        Where the catalogue cannot be read.
    """
    catalog = load_catalog(settings.catalog)
    ranker = card = reason = None
    try:
        ranker, card = load_ranker(settings.model)
        index = open_for_model(
            catalog,
            settings.model,
            card,
            encoder=settings.encoder,
            cache=settings.cache_dir,
            progress=progress,
        )
    except (ModelError, EncoderError) as error:
        ranker = card = None
        index = open_index(catalog, cache=settings.cache_dir, progress=progress)
        # The reason is shown to whoever asks for /health, who need not know the folders above.
        reason = str(error).replace(str(settings.model), settings.model.name)
    return Predictor(
        index,
        ranker=ranker,
        card=card,
        fallback_reason=reason,
        max_history=settings.max_history,
        none_threshold=settings.none_threshold,
        confidence_threshold=settings.cold_start_confidence,
    )
