"""A pattern covers what a regular expression of the same meaning matches."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.access.permissions import (
    PERMISSIONS,
    ROLES,
    ROUTE_PERMISSIONS,
    allows,
    check_permission,
    role_allows,
    route_of,
)

names = st.sampled_from(["data", "users", "read", "write", "a", "b_1", "c-2"])
permissions = st.lists(names, min_size=1, max_size=4).map(".".join)
patterns = st.lists(names | st.just("*"), min_size=1, max_size=4).map(".".join)


def expression(pattern: str) -> str:
    """Write the same pattern for `re`."""
    *front, last = pattern.split(".")
    parts = [r"[^.]+" if each == "*" else re.escape(each) for each in front]
    return r"\.".join([*parts, r".+" if last == "*" else re.escape(last)])


@given(st.lists(patterns, max_size=4), permissions)
def test_patterns_cover_what_their_expressions_match(granted: list[str], needed: str) -> None:
    expected = any(re.fullmatch(expression(pattern), needed) for pattern in granted)
    assert allows(granted, needed) is expected


@given(st.lists(patterns, max_size=4), patterns, permissions)
def test_more_patterns_never_take_away(granted: list[str], more: str, needed: str) -> None:
    assert allows([*granted, more], needed) >= allows(granted, needed)
    assert allows(["*"], needed)
    assert allows([needed], needed)
    assert not allows([], needed)


@given(permissions, names)
def test_a_permission_grants_nothing_below_or_above_it(needed: str, below: str) -> None:
    assert not allows([needed], f"{needed}.{below}")
    assert not allows([f"{needed}.{below}"], needed)
    assert not allows([f"{needed}.*"], needed)
    assert allows([f"{needed}.*"], f"{needed}.{below}")


def granted_by(role: str) -> set[str]:
    return {each for each in PERMISSIONS if role_allows(role, each)}


def test_the_five_roles_and_the_twelve_permissions() -> None:
    assert set(ROLES) == {"admin", "developer", "user", "readonly", "guest"}
    assert len(set(PERMISSIONS)) == 12
    assert {role: granted_by(role) for role in ROLES} == {
        "admin": set(PERMISSIONS),
        "developer": {"data.read", "data.write", "data.delete", "users.read"},
        "user": {"data.read", "data.write"},
        "readonly": {"data.read"},
        "guest": set(),
    }


def test_every_pattern_and_every_route_is_well_formed_and_of_use() -> None:
    needed = {each for each in ROUTE_PERMISSIONS.values() if each is not None}
    for name in needed | set(PERMISSIONS):
        assert check_permission(name) == name
        assert role_allows("admin", name)
    for granted in ROLES.values():
        for pattern in granted:
            assert check_permission(pattern, wildcards=True) == pattern
    assert role_allows("guest", "query.predict")
    assert not role_allows("readonly", "feedback.submit")
    assert not role_allows("user", "model.train")
    assert role_allows("developer", "model.train")


def test_every_declared_route_is_found_and_no_other() -> None:
    for (method, path), permission in ROUTE_PERMISSIONS.items():
        assert route_of(method, path.replace("{id}", "a-1.b")) == (path, permission)
    assert route_of("HEAD", "/health") == ("/health", None)
    for method, path in (
        ("POST", "/health"),
        ("GET", "/api/ab-testing/tests/a/b"),
        ("GET", "/api/ab-testing/tests/"),
        ("GET", "/health/"),
        ("GET", "//health"),
        ("TRACE", "/"),
    ):
        assert route_of(method, path) == ("*", "system.admin")


@pytest.mark.parametrize(
    "text",
    ["", ".", "a.", ".a", "a..b", "*", "a.*", "Data.read", "a b", "é", "a.b\n", "a." * 8 + "a"],
)
def test_what_is_no_permission_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^permission must be segments of a-z"):
        allows(["*"], text)


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^role must be one of admin, .* got 'root'\.$"):
        role_allows("root", "data.read")
