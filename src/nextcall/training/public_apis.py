"""Public APIs read from a folder of catalogues: some to practise on, the others a background."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from nextcall.catalog import Catalog, Operation
from nextcall.catalog.load import load_catalog
from nextcall.catalog.text import first_sentence
from nextcall.progress import Progress, silent

_LEFT_OUT: Final = ("amazonaws.com", "github", "themoviedb", "tmdb", "spotify")
"""AWS is what is trained on, and the others are what rankers are evaluated on."""

_FEWEST_OPERATIONS: Final = 6  # of an API that is practised on
_FEWEST_WORDS: Final = 4  # of an operation of the background
_TITLE_WORDS: Final = range(3, 25)
_DESCRIPTION_WORDS: Final = 5
_DESCRIPTIONS: Final = (2, 6)  # of a provider in the background: of a usual one, and of one of many
_MANY: Final = 20
_OPERATIONS: Final = 2  # of a description in the background


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicApis:
    """Operations of public APIs, shared out by provider: none is on both sides."""

    practice: Catalog
    """Operations of APIs to practise on; ``service`` and ``source`` are the provider."""
    titles: Mapping[str, list[str]]
    """A prompt for some of these, by id: their summary, which they then do not hold any more."""
    background: tuple[Operation, ...]
    """A few operations of each other provider."""


def read_public_apis(
    folder: Path,
    *,
    apis: int,
    operations: int,
    background: int,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> PublicApis:
    """Read built catalogues, ``PROVIDER__API.parquet`` or ``PROVIDER.parquet``.

    `benchmarks/openapi_directory.py --save` leaves a folder of them. AWS, and what rankers are
    evaluated on (GitHub, TMDB, Spotify), is left out.

    Parameters
    ----------
    apis : int
        Providers to practise on, one API of each; at least 1.
    operations : int
        Neighbouring operations of each that are taken, at most.
    background : int
        Operations of the other providers, at most.

    Raises
    ------
    ValueError
        Where the folder has no provider for one of the two sides.
    CatalogError
        Where a file is no catalogue.
    """
    files: dict[str, list[Path]] = {}
    for file in sorted(folder.glob("*.parquet")):
        if not any(name in file.name for name in _LEFT_OUT):
            files.setdefault(file.stem.split("__")[0], []).append(file)
    names = sorted(files)
    order = [names[i] for i in rng.permutation(len(names))]
    taken: dict[str, Operation] = {}
    titles: dict[str, list[str]] = {}
    practised: set[str] = set()
    for name in progress(order, description="Reading public APIs", total=len(order)):
        if len(practised) == apis:
            break
        catalog = load_catalog(files[name][int(rng.integers(len(files[name])))])
        if len(catalog) < _FEWEST_OPERATIONS:
            continue
        practised.add(name)
        first = int(rng.integers(max(len(catalog) - operations, 0) + 1))
        for operation in catalog.operations[first : first + operations]:
            if operation.operation_id in taken:
                continue
            plain = replace(operation, service=name, source=name, tags=())
            if _says_a_wish(operation):
                titles[operation.operation_id] = [operation.summary.rstrip(". ")]
                plain = replace(plain, summary=first_sentence(operation.description))
            taken[operation.operation_id] = plain
    others = [files[name] for name in order if name not in practised]
    spoken = _background(others, rng=rng, progress=progress)
    if not titles or not spoken:
        raise ValueError(
            f"{folder} must hold catalogues of more than {apis} providers, got {len(files)}."
        )
    chosen = rng.permutation(len(spoken))[:background]
    return PublicApis(
        practice=Catalog("public APIs", tuple(taken.values())),
        titles=titles,
        background=tuple(spoken[i] for i in chosen),
    )


def _background(
    providers: Iterable[list[Path]], *, rng: np.random.Generator, progress: Progress
) -> list[Operation]:
    """Operations with a text in English, two of each of a few descriptions of each provider."""
    found: dict[str, Operation] = {}
    for files in progress(list(providers), description="Reading a background"):
        usual, many = _DESCRIPTIONS
        n_files = many if len(files) > _MANY else usual
        for file in [files[i] for i in rng.permutation(len(files))[:n_files]]:
            spoken = [operation for operation in load_catalog(file) if _says_enough(operation)]
            for i in rng.permutation(len(spoken))[:_OPERATIONS]:
                found.setdefault(spoken[i].operation_id, spoken[i])
    return list(found.values())


def _says_enough(operation: Operation) -> bool:
    text = f"{operation.summary} {operation.description}"
    return text.isascii() and len(text.split()) >= _FEWEST_WORDS


def _says_a_wish(operation: Operation) -> bool:
    """Whether the summary can be a prompt, and the description stay as the operation's text."""
    summary, description = operation.summary, operation.description
    return (
        summary.isascii()
        and len(summary.split()) in _TITLE_WORDS
        and len(description.split()) >= _DESCRIPTION_WORDS
        and not description.startswith(summary.rstrip(". "))
    )
