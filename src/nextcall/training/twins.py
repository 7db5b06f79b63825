"""Operations that are near-duplicates, and what tells them apart."""

import re
from typing import Final

from nextcall.catalog import Operation
from nextcall.catalog.text import singular

TWINS: Final = {
    "same name": "the same words in another service or version",
    "one or many": "one thing and many, or single and batch",
    "list or read": "another way to look at the same resource of the same service",
    "near": "neither, and yet a cosine from 0.9 on",
}
"""How one operation may be a near-duplicate of another; the first that holds counts."""

NEAR: Final = 0.9
"""Cosine of two operations' vectors from which they count as twins."""

_MANY: Final = frozenset({"batch", "bulk", "multiple", "all"})
_VERSION: Final = re.compile(r"v|v?\d+")
_LOOKS: Final = frozenset({"list", "read", "search"})


def twin_kind(one: Operation, other: Operation, *, cosine: float) -> str:
    """Tell how two operations are near-duplicates: a key of `TWINS`, empty where they are not.

    Parameters
    ----------
    cosine : float
        Of the operations' vectors.

    Examples
    --------
    >>> from nextcall.catalog import describe_operation
    >>> get, batch = (
    ...     describe_operation(operation_id=f"dynamodb:{name}", service="dynamodb")
    ...     for name in ("GetItem", "BatchGetItems")
    ... )
    >>> twin_kind(get, batch, cosine=0.8)
    'one or many'
    """
    plain, others = _plain_name(one), _plain_name(other)
    if plain and plain == others:
        same = one.service == other.service and not _differ_by_version(one, other)
        return "one or many" if same else "same name"
    looks = one.action in _LOOKS and other.action in _LOOKS
    if looks and one.service == other.service and one.resource and one.resource == other.resource:
        return "list or read"
    return "near" if cosine >= NEAR else ""


def _plain_name(operation: Operation) -> tuple[str, ...]:
    """Words of the name, without what only tells one from many or a version."""
    kept = (w for w in operation.words if w not in _MANY and not _VERSION.fullmatch(w))
    return tuple(singular(word) for word in kept)


def _differ_by_version(one: Operation, other: Operation) -> bool:
    versions = [[w for w in op.words if _VERSION.fullmatch(w)] for op in (one, other)]
    return versions[0] != versions[1]
