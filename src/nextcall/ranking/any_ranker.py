"""Rankers of either kind: free of any catalogue, or adapted to one."""

from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from nextcall.ranking.model_files import RANKER_FILE, ModelCard, ModelError, load_ranker
from nextcall.ranking.ranker import CallRanker
from nextcall.ranking.signed_files import format_of

if TYPE_CHECKING:
    from nextcall.ranking.adapted_ranker import AdaptedRanker
    from nextcall.ranking.index import CatalogIndex

AnyRanker: TypeAlias = "CallRanker | AdaptedRanker"
"""Whatever ranks."""

ADAPTED_FORMAT: Final = "nextcall.adapted.1"
"""What the file of an adapted ranker says that it is."""


def load_any_ranker(directory: Path) -> tuple[AnyRanker, ModelCard]:
    """Read what `save_ranker` or `save_adapted` wrote.

    Raises
    ------
    ModelError
        As `load_ranker` and `load_adapted`.
    """
    if format_of(directory / RANKER_FILE) != ADAPTED_FORMAT:
        return load_ranker(directory)
    from nextcall.ranking.adapted_files import load_adapted  # noqa: PLC0415  # it needs more

    return load_adapted(directory)


def check_ranker(ranker: AnyRanker, index: "CatalogIndex", directory: Path) -> None:
    """Make sure that a ranker that was read from a folder can rank over an index.

    Raises
    ------
    ModelError
        Where it was adapted to another catalogue, or with vectors of another encoder.
    """
    if isinstance(ranker, CallRanker):
        return
    try:
        ranker.check(index)
    except ValueError as error:
        raise ModelError(f"{directory}: {error}") from error
