"""How well what operations give back is guessed: evidence beside what descriptions say."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

import pandas as pd

from nextcall.catalog.catalog import Catalog
from nextcall.catalog.entities import catalog_needs, named_entity
from nextcall.catalog.yields import GROUPS, SIGNS, find_evidence

COLUMNS: Final = (
    "operation_id", "service", "entity", "needing", "given", "probability", "group", *SIGNS,
)  # fmt: skip
"""Columns of `evidence_frame`."""


def given_entities(fields: frozenset[str]) -> frozenset[str]:
    """Give the entities whose identifiers stand among the fields of an answer.

    Parameters
    ----------
    fields : frozenset of str
        As `nextcall.catalog.responses.aws_responses` gives them.

    Examples
    --------
    >>> sorted(given_entities(frozenset({"volume id", "volume type", "subnet arn", "id"})))
    ['subnet', 'volume']
    """
    named = (named_entity(field) for field in fields)
    return frozenset(entity for entity, identifies in named if entity and identifies)


def evidence_frame(catalog: Catalog, responses: Mapping[str, frozenset[str]]) -> pd.DataFrame:
    """Put guesses and truth side by side.

    One row for each operation and entity where there is evidence or the operation does give the
    entity back, as far as some operation of the same service clearly takes the entity. Operations
    that require the entity are left out, and those whose answer is not known.

    Parameters
    ----------
    catalog : Catalog
    responses : mapping of str to frozenset of str
        Fields of the answers, by operation id.

    Returns
    -------
    DataFrame
        ``operation_id``, ``service``, ``entity``; ``needing``: operations of the service that
        clearly take it; ``given``: whether it is in the answer; ``probability``: 0 where there is
        no evidence; ``group`` and one column for each of `nextcall.catalog.yields.SIGNS`.
    """
    needs = catalog_needs(catalog)
    needing = Counter(
        (operation.service, need.entity)
        for operation, own in zip(catalog, needs, strict=True)
        for need in own
        if need.clear
    )
    entities: dict[str, set[str]] = {service: set() for service in catalog.services}
    for service, entity in needing:
        entities[service].add(entity)
    guesses = {(one.row, one.entity): one for one in find_evidence(catalog, needs)}
    given = {
        (row, entity)
        for row, operation in enumerate(catalog)
        for entity in given_entities(responses.get(operation.operation_id, frozenset()))
        & entities[operation.service] - {need.entity for need in needs[row] if need.required > 0.5}
    }
    nothing = (0.0, "", *(False for _ in SIGNS))
    rows = []
    for row, entity in sorted(given | set(guesses)):
        operation = catalog.operations[row]
        if operation.operation_id in responses and entity in entities[operation.service]:
            guess = guesses.get((row, entity))
            said = nothing if guess is None else (guess.probability, guess.group, *guess.signs)
            count = needing[operation.service, entity]
            place = operation.operation_id, operation.service, entity, count
            rows.append((*place, (row, entity) in given, *said))
    return pd.DataFrame(rows, columns=pd.Index(COLUMNS))


def design(frame: pd.DataFrame) -> pd.DataFrame:
    """Give signs and groups as columns of 0 and 1, for a regression without intercept."""
    groups = {group: frame["group"] == group for group in GROUPS}
    return frame[list(SIGNS)].assign(**groups).astype(float)
