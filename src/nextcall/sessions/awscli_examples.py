"""Real prompts: the titles of the examples that the AWS command line ships."""

import re
from collections import defaultdict
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np

from nextcall.catalog import Catalog
from nextcall.progress import Progress, silent
from nextcall.sessions.call import Call, Query

SERVICE_OF_COMMAND: Final = {
    "configservice": "config",
    "deploy": "codedeploy",
    "s3api": "s3",
}
"""Folders of the examples whose service has another name in botocore."""

_HIGH_LEVEL: Final = frozenset({"configure", "s3"})  # commands of the tool, not of an API
_TITLE: Final = re.compile(r"^\s*\*\*(?P<title>[^*\n]+(?:\n[^*\n]+)?)\*\*", re.MULTILINE)
_EXAMPLE: Final = re.compile(
    r"^\s*(?:example|step)\s*#?\d*[a-z]?\s*(?:[:.)-]+\s*|(?=to\b))", re.IGNORECASE
)
_NUMBER: Final = re.compile(r"^\s*\(?\d+[.):]\s*")
_MARKUP: Final = re.compile(r"``?|:[a-z]+:|\\")
_SPACE: Final = re.compile(r"\s+")
_LABELS: Final = frozenset(
    {"command", "output", "note", "notes", "prerequisites", "syntax", "response"}
)
_MINIMUM_WORDS: Final = 3


def read_awscli_examples(
    catalog: Catalog, *, examples: Path | None = None, progress: Progress = silent
) -> list[Query]:
    """Read one query for each bold title of the examples in the installed package awscli 1.x.

    A title such as "To describe your key pairs" belongs to the command of its file, hence to one
    operation of the AWS catalogue. The command's own name is removed where it occurs in the title;
    a title of fewer than three words is dropped, and a repeated one in the same file is read once.
    Titles that stand word for word at several operations have all of them as relevant answers.

    Returns
    -------
    list of Query
        Sorted by operation; ``session_id`` is the operation's id, so that a split by session keeps
        its titles together; ``source`` is its service.

    Raises
    ------
    ValueError
        Where `examples` holds no title of an operation of `catalog`.
    """
    folder = examples or _installed_examples()
    by_command = _operations_by_command(catalog)
    found: list[tuple[str, str]] = []
    files = sorted(folder.glob("*/*.rst"))
    for path in progress(files, description="Reading prompts", total=len(files)):
        if path.parent.name in _HIGH_LEVEL:
            continue
        service = SERVICE_OF_COMMAND.get(path.parent.name, path.parent.name)
        operation_id = by_command.get((service, _squeeze(path.stem)))
        if operation_id is not None:
            found.extend((operation_id, title) for title in _titles(path))
    if not found:
        raise ValueError(
            f"{folder}: must hold SERVICE/COMMAND.rst with titles, found none that fit."
        )
    relevant: dict[str, set[str]] = defaultdict(set)
    for operation_id, title in found:
        relevant[title.lower()].add(operation_id)
    return [
        Query(
            query_id=f"awscli-{number:05d}",
            prompt=title,
            relevant=tuple(sorted(relevant[title.lower()])),
            source=catalog[operation_id].service,
            session_id=operation_id,
        )
        for number, (operation_id, title) in enumerate(found)
    ]


def clean_title(title: str, *, command: str) -> str:
    """Turn a title into a prompt: no markup, no numbering, no name of the command.

    Examples
    --------
    >>> clean_title("Example 1: To list tags with ``list-tags``", command="list-tags")
    'To list tags with'
    >>> clean_title("To describe an instance", command="describe-instances")
    'To describe an instance'
    """
    text = _MARKUP.sub("", _SPACE.sub(" ", title)).strip()
    text = _NUMBER.sub("", _EXAMPLE.sub("", text))
    if "-" in command:  # a command of one word is an English word too
        spellings = "|".join(command.replace("-", joint) for joint in ("-", "_", ""))
        text = re.sub(rf"(?<![\w-])(?:{spellings})(?![\w-])", "", text, flags=re.IGNORECASE)
    return _SPACE.sub(" ", text).strip(" :.-\"'")


def with_history(
    queries: list[Query], catalog: Catalog, *, n_calls: int = 2, rng: np.random.Generator
) -> list[Query]:
    """Give each query earlier calls: operations of the answer's service, drawn uniformly.

    The calls are drawn without replacement and are never a relevant one. A query whose service has
    fewer other operations gets as many as there are.

    Parameters
    ----------
    queries : list of Query
        Each with at least one relevant operation.
    n_calls : int
        At least 1.
    """
    if n_calls < 1:
        raise ValueError(f"n_calls must be at least 1, got {n_calls}.")
    of_service: dict[str, list[str]] = defaultdict(list)
    for operation in catalog:
        of_service[operation.service].append(operation.operation_id)
    extended: list[Query] = []
    for query in queries:
        service = catalog[query.relevant[0]].service
        others = [other for other in of_service[service] if other not in query.relevant]
        drawn = rng.choice(len(others), size=min(n_calls, len(others)), replace=False)
        extended.append(
            Query(
                query_id=f"{query.query_id}-h{n_calls}",
                prompt=query.prompt,
                history=tuple(Call(operation_id=others[row]) for row in drawn),
                relevant=query.relevant,
                task="next_call",
                source=query.source,
                session_id=query.session_id,
                step=len(drawn),
            )
        )
    return extended


def _installed_examples() -> Path:
    spec = find_spec("awscli")
    if spec is None or spec.origin is None:
        raise ValueError("prompts are read from the package awscli 1.x; it is not installed.")
    return Path(spec.origin).parent / "examples"


def _operations_by_command(catalog: Catalog) -> dict[tuple[str, str], str]:
    return {
        (
            operation.service,
            _squeeze(operation.operation_id.rsplit(":", 1)[-1]),
        ): operation.operation_id
        for operation in catalog
    }


def _squeeze(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()


def _titles(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8", errors="replace")
    seen: set[str] = set()
    for match in _TITLE.finditer(text):
        title = clean_title(match["title"], command=path.stem)
        label = title.lower().rstrip(":")
        if len(title.split()) < _MINIMUM_WORDS or label in _LABELS or label in seen:
            continue
        seen.add(label)
        yield title
