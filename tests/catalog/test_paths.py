"""Calls and the operations that they belong to, against a slow scan of regular expressions."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nextcall.catalog import Catalog, Operation, describe_operation
from nextcall.catalog.paths import CallMatcher

LITERALS = ["a", "b", "users"]
SEGMENTS = [*LITERALS, "{x}", "{y}", ":z", "{x}.json", "a{x}"]
ORDER = ("GET", "POST", "PUT", "PATCH", "DELETE")


def catalog_of(*calls: str) -> Catalog:
    parts = (call.split(" ", 1) for call in calls)
    return Catalog(
        "test",
        tuple(
            describe_operation(operation_id=f"op{row}", method=method, path=path)
            for row, (method, path) in enumerate(parts)
        ),
    )


def matched(call: str, *calls: str, method: str | None = None) -> str | None:
    found = CallMatcher(catalog_of(*calls)).match(call, method=method)
    return None if found is None else found.api_call


def kind(segment: str) -> tuple[int, int, str]:
    """Fixed text first, then the most text around a parameter, then a parameter, then greedy."""
    shape = re.sub(r"\{[^{}]*\}", "{}", segment)
    if segment.startswith(":") or shape == "{}":
        return (3 if "+" in segment else 2, 0, "")
    if "{" not in segment:
        return (0, 0, segment)
    return (1, -len(shape.replace("{}", "")), shape)


def regex(segments: Sequence[str]) -> str:
    parts = []
    for segment in segments:
        if kind(segment)[0] == 3:
            parts.append(r"/[^/]+(?:/[^/]+)*")
        elif segment.startswith(":"):
            parts.append(r"/[^/]+")
        else:
            pieces = re.split(r"\{[^{}]*\}", segment)
            parts.append("/" + r"[^/]+".join(map(re.escape, pieces)))
    return "".join(parts)


def scan(catalog: Catalog, method: str | None, path: str) -> Operation | None:
    """Do slowly what the matcher does."""
    requested = [part for part in path.split("/") if part]
    exact = [one for one in catalog if one.path == path]
    for candidates in [exact, *(fitting(catalog, requested, n) for n in range(len(requested) + 1))]:
        of_method = [one for one in candidates if method in {None, one.method}]
        if of_method:
            best = min(order(one) for one in of_method)
            shape = [one for one in of_method if order(one) == best]
            first = min(ORDER.index(str(one.method)) for one in shape)
            chosen = [one for one in shape if one.method == ORDER[first]]
            return chosen[0] if len(chosen) == 1 else None
    return None


def order(operation: Operation) -> list[tuple[int, int, str]]:
    return [kind(part) for part in str(operation.path).split("/") if part]


def fitting(catalog: Catalog, requested: list[str], dropped: int) -> list[Operation]:
    found = []
    for operation in catalog:
        segments = [part for part in str(operation.path).split("/") if part]
        if dropped and (not segments or kind(segments[0])[0] != 0):
            continue
        path = "".join(f"/{part}" for part in requested[dropped:])
        if re.fullmatch(regex(segments), path):
            found.append(operation)
    return found


templates = st.builds(
    lambda segments, rest: "/" + "/".join([*segments, *rest]),
    st.lists(st.sampled_from(SEGMENTS), max_size=3),
    st.sampled_from([[], [], ["{key+}"]]),
)
requests = st.lists(st.sampled_from([*LITERALS, "7", "7.json", "a7", ".json"]), max_size=5)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(ORDER), templates), min_size=1, max_size=10),
    requests,
    st.none() | st.sampled_from(ORDER),
)
@example([("GET", "/{x}"), ("POST", "/users")], ["users"], "GET")
def test_agrees_with_a_scan(
    calls: list[tuple[str, str]], requested: list[str], method: str | None
) -> None:
    catalog = catalog_of(*(f"{verb} {path}" for verb, path in calls))
    path = "/" + "/".join(requested)
    assert CallMatcher(catalog).match(path, method=method) == scan(catalog, method, path)
    for verb, template in calls:  # a template as it stands
        found = CallMatcher(catalog).match(f"{verb} {template}")
        assert found == scan(catalog, verb, template)


def test_every_way_to_write_a_call() -> None:
    catalog = catalog_of("GET /users/{id}", "DELETE /users/{id}", "POST /users")
    matcher = CallMatcher(catalog)
    get, delete, post = catalog
    for call in (
        "op0", "GET /users/{id}", "get /users/123", "/users/123", "/users/{id}", "/users/123/",
        "/api/v2/users/123?full=1#top", "https://example.org/users/1", "GET http://h:80/x/users/1",
        " GET  /users/a%2Fb ", "//users//1",
    ):  # fmt: skip
        assert matcher.match(call) is get, call
    assert matcher.match("/users/1", method="delete") is delete
    assert matcher.match("DELETE /users/1", method="GET") is delete
    assert matcher.match("/api/users") is post
    for call in ("", "users/1", "/orders", "PUT /users/1", "GET", "/users/1/x", "https://h", "op9"):
        assert matcher.match(call) is None, call


def test_fixed_text_wins_and_percent_escapes_are_text() -> None:
    calls = ("GET /users/{id}", "GET /users/@me", "GET /users/{id}.json", "GET /{any+}")
    assert matched("/users/%40me", *calls) == "GET /users/@me"
    assert matched("/users/7.json", *calls) == "GET /users/{id}.json"
    assert matched("/users/7", *calls) == "GET /users/{id}"
    assert matched("/users/7/8", *calls) == "GET /{any+}"


def test_a_greedy_parameter_in_the_middle_takes_as_few_as_it_can() -> None:
    calls = ("GET /v1/{+name}/operations", "GET /v1/{+name}:cancel")
    assert matched("/v1/a/b/operations", *calls) == "GET /v1/{+name}/operations"
    assert matched("/v1/a:cancel", *calls) == "GET /v1/{+name}:cancel"
    assert matched("/v1/a/b", *calls) is None


def test_the_query_of_a_template_tells_operations_apart() -> None:
    calls = ("GET /{Bucket}", "GET /{Bucket}?acl", "GET /{Bucket}?list-type=2", "PUT /{Bucket}?acl")
    assert matched("GET /photos", *calls) == "GET /{Bucket}"
    assert matched("GET /photos?acl", *calls) == "GET /{Bucket}?acl"
    assert matched("GET /photos?acl=&x=1", *calls) == "GET /{Bucket}?acl"
    assert matched("GET /photos?list-type=2&prefix=a", *calls) == "GET /{Bucket}?list-type=2"
    assert matched("GET /photos?list-type=1", *calls) == "GET /{Bucket}"
    assert matched("PUT /photos", *calls) is None
    assert matched("PUT /a?x-id=Put", "PUT /{Bucket}?x-id=Put") == "PUT /{Bucket}?x-id=Put"
    assert matched("/a?mode=9", "GET /a?mode={mode}") == "GET /a?mode={mode}"


def test_a_path_that_many_share_belongs_to_none() -> None:
    calls = tuple(f"POST /{'' if row else 'only'}" for row in range(5000))
    matcher = CallMatcher(catalog_of(*calls))
    assert matcher.match("POST /") is None
    assert matcher.match("/") is None
    only = matcher.match("POST /only")
    assert only is not None
    assert only.path == "/only"


def test_an_operation_without_a_method_answers_any() -> None:
    bare = describe_operation(operation_id="bare", path="/a")
    function = describe_operation(operation_id="function")
    matcher = CallMatcher(Catalog("c", (bare, function)))
    assert matcher.match("PATCH /a") is matcher.match("/a") is bare
    assert matcher.match("function") is function


@pytest.mark.parametrize("call", ["/a" * 65, "/" + "/".join(["x"] * 64)])
def test_a_path_without_end_is_nobodys(call: str) -> None:
    calls = ("GET /{a+}/{b+}/{c+}/{d+}/end", "GET /{x}")
    assert matched(call, *calls) is None
