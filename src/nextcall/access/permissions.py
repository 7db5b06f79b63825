"""What a role may do, and what a route asks for: one table of each."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

PERMISSIONS: Final = (
    "data.read",
    "data.write",
    "data.delete",
    "users.read",
    "users.write",
    "users.delete",
    "roles.manage",
    "permissions.manage",
    "keys.manage",
    "audit.view",
    "system.config",
    "system.admin",
)
"""Permissions over what is kept; those of routes are named beside them in `ROUTE_PERMISSIONS`."""

ROLES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "admin": frozenset({"*"}),
        "developer": frozenset(
            {
                "abtest.*",
                "data.*",
                "feedback.*",
                "metrics.read",
                "model.*",
                "query.*",
                "users.read",
                "workflow.*",
            }
        ),
        "user": frozenset(
            {
                "abtest.assign",
                "abtest.record",
                "data.read",
                "data.write",
                "feedback.submit",
                "query.*",
                "workflow.*",
            }
        ),
        "readonly": frozenset({"abtest.read", "data.read", "metrics.read", "query.*"}),
        "guest": frozenset({"query.predict", "query.search"}),
    }
)
"""Patterns of permissions that each role grants."""

ROUTE_PERMISSIONS: Final[Mapping[tuple[str, str], str | None]] = MappingProxyType(
    {
        ("GET", "/"): None,  # None: open to all
        ("GET", "/dashboard"): None,  # an empty page; what it shows asks for metrics.read
        ("GET", "/docs"): None,
        ("GET", "/health"): None,
        ("GET", "/openapi.json"): None,
        ("GET", "/redoc"): None,
        ("GET", "/metrics"): "metrics.read",
        ("GET", "/performance/benchmarks"): "metrics.read",
        ("GET", "/performance/health"): None,  # asked by what starts and stops workers
        ("GET", "/performance/metrics"): "metrics.read",
        ("GET", "/cost-analytics"): "metrics.read",
        ("POST", "/performance/test"): "model.measure",
        ("POST", "/predict"): "query.predict",
        ("POST", "/predict/batch"): "query.predict",
        ("POST", "/api/run"): "workflow.run",
        ("POST", "/feedback"): "feedback.submit",
        ("POST", "/train"): "model.train",
        ("POST", "/generate-data"): "model.generate",
        ("GET", "/jobs"): "model.read",
        ("GET", "/jobs/{id}"): "model.read",
        ("POST", "/jobs/{id}/cancel"): "model.cancel",
        ("POST", "/api/admin/clear-cache"): "admin.cache",
        ("POST", "/api/admin/rollback-model"): "admin.model",
        ("POST", "/api/ab-testing/tests"): "abtest.create",
        ("GET", "/api/ab-testing/tests"): "abtest.read",
        ("GET", "/api/ab-testing/tests/{id}"): "abtest.read",
        ("PUT", "/api/ab-testing/tests/{id}"): "abtest.create",
        ("GET", "/api/ab-testing/tests/{id}/history"): "abtest.read",
        ("POST", "/api/ab-testing/tests/{id}/archive"): "abtest.stop",
        ("POST", "/api/ab-testing/tests/{id}/assign"): "abtest.assign",
        ("POST", "/api/ab-testing/tests/{id}/record"): "abtest.record",
        ("POST", "/api/ab-testing/tests/{id}/start"): "abtest.start",
        ("POST", "/api/ab-testing/tests/{id}/stop"): "abtest.stop",
        ("GET", "/api/ab-testing/tests/{id}/analyze"): "abtest.analyze",
        ("POST", "/api/ab-testing/tests/{id}/analyze"): "abtest.analyze",
    }
)
"""What each route asks for, by method and path as they are declared."""

UNLISTED: Final = "system.admin"
"""What a route asks for that the table does not name."""

_MOST_SEGMENTS: Final = 8


@lru_cache(maxsize=4096)
def role_allows(role: str, needed: str) -> bool:
    """Tell whether a role grants a permission.

    Raises
    ------
    ValueError
        Where the role is not known.

    Examples
    --------
    >>> role_allows("developer", "data.delete"), role_allows("guest", "data.read")
    (True, False)
    """
    return allows(ROLES[check_role(role)], needed)


def allows(granted: Iterable[str], needed: str) -> bool:
    """Tell whether one of the patterns that are granted covers a permission.

    A ``*`` stands for one segment, as the last one for one or more; alone for everything.

    Parameters
    ----------
    granted : iterable of str
        Such as ``workflow.*``, ``*.read``, ``*``.
    needed : str
        A permission without ``*``, such as ``workflow.run``.

    Raises
    ------
    ValueError
        Where `needed` is no permission.

    Examples
    --------
    >>> allows(["workflow.*"], "workflow.run.start"), allows(["workflow.*"], "workflow")
    (True, False)
    """
    segments = check_permission(needed).split(".")
    return any(_covers(pattern.split("."), segments) for pattern in granted)


@lru_cache(maxsize=1024)
def _templates(method: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Paths with a part that varies."""
    return tuple(
        (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), path)
        for of, path in ROUTE_PERMISSIONS
        if of == method and "{" in path
    )


def route_of(method: str, path: str) -> tuple[str, str | None]:
    """Give the declared path of a request, and the permission that it asks for.

    Fails closed: what the table does not name asks for `UNLISTED`, and its path is ``*``.

    Examples
    --------
    >>> route_of("GET", "/api/ab-testing/tests/7")
    ('/api/ab-testing/tests/{id}', 'abtest.read')
    >>> route_of("GET", "/health"), route_of("GET", "/nowhere")
    (('/health', None), ('*', 'system.admin'))
    """
    method = "GET" if method == "HEAD" else method
    if (method, path) in ROUTE_PERMISSIONS:
        return path, ROUTE_PERMISSIONS[method, path]
    for pattern, template in _templates(method):
        if pattern.fullmatch(path):
            return template, ROUTE_PERMISSIONS[method, template]
    return "*", UNLISTED


@lru_cache(maxsize=4096)
def methods_of(path: str) -> tuple[str, ...]:
    """Give the methods that the table names for a path; none where it does not know the path.

    Examples
    --------
    >>> methods_of("/api/ab-testing/tests/7"), methods_of("/nowhere")
    (('GET', 'PUT'), ())
    """
    methods = {method for method, _ in ROUTE_PERMISSIONS}
    return tuple(sorted(method for method in methods if route_of(method, path)[0] != "*"))


def check_permission(text: str, *, wildcards: bool = False) -> str:
    """Give a permission back where it is one: up to 8 segments of small letters, digits, ``_-``.

    Raises
    ------
    ValueError
        Where it is none, or has ``*`` where that may not be.
    """
    segments = text.split(".")
    if len(segments) > _MOST_SEGMENTS or not all(
        (segment == "*" and wildcards) or _is_segment(segment) for segment in segments
    ):
        raise ValueError(
            f"permission must be segments of a-z, 0-9, _ and - joined by dots, got {text[:100]!r}."
        )
    return text


def check_role(role: str) -> str:
    """Give a role back where it is one.

    Raises
    ------
    ValueError
        Where it is none.
    """
    if role not in ROLES:
        raise ValueError(f"role must be one of {', '.join(ROLES)}, got {role[:100]!r}.")
    return role


def _covers(pattern: list[str], segments: list[str]) -> bool:
    if pattern[-1] == "*" and len(segments) > len(pattern):
        segments = segments[: len(pattern)]
    return len(pattern) == len(segments) and all(
        one in ("*", other) for one, other in zip(pattern, segments, strict=True)
    )


def _is_segment(text: str) -> bool:
    return (
        text.isascii()
        and text.replace("_", "a").replace("-", "a").isalnum()
        and (text == text.lower())
    )
