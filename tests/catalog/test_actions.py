"""What operations do, and to what: names that readers of their documentation agree on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextcall.catalog import describe_operation
from nextcall.catalog.actions import ACTIONS, derive_action, derive_resource, own_name_words
from nextcall.catalog.jsonl import read_jsonl
from nextcall.catalog.verbs import CLEAR_VERBS, PREPOSITIONS, QUALIFIERS, VERBS, verb_action
from nextcall.locations import shared_dir


@pytest.mark.parametrize(
    ("operation_id", "call", "action", "resource"),
    [
        ("ec2:DescribeDBInstances", "POST /", "list", "db instance"),
        ("s3:ListObjectsV2", "GET /{Bucket}?list-type=2", "list", "object"),
        ("dynamodb:BatchGetItem", "POST /", "read", "item"),
        ("sns:Publish", "POST /", "send", ""),
        ("ec2:GetBlockDeviceSettings", "POST /", "read", "block device setting"),
        ("codespaces/stop-for-user", "POST /user/codespaces/{name}/stop", "stop", "codespace"),
        ("projects/list-for-org", "GET /orgs/{org}/projectsV2", "list", "project"),
        ("repos/list-statuses-for-ref", "GET /a/statuses", "list", "status"),
        ("Accounts_ListByResourceGroup", "GET /groups/{g}/accounts", "list", "account"),
        ("compute:v1.instances.get", "GET /zones/{z}/instances/{i}", "read", "instance"),
        ("compute:v1.instances.list", "GET /zones/{z}/instances", "list", "instance"),
        ("compute:v1.instances.setLabels", "POST /i/{i}/setLabels", "update", "label"),
        ("", "GET /users", "list", "user"),
        ("", "GET /users/{id}", "read", "user"),
        ("", "GET /movie/popular", "list", "movie"),
        ("", "GET /movie/latest", "read", "movie"),
        ("", "GET /list/{list_id}", "read", "list"),
        ("", "GET /search/person", "search", "person"),
        ("", "GET /v1/settings", "read", "setting"),
        ("", "GET /report/export", "read", "report"),
        ("", "GET /repos/{id}/comment", "read", "repo"),
        ("", "POST /orders", "create", "order"),
        ("", "POST /order", "create", "order"),
        ("", "POST /users/{id}", "update", "user"),
        ("", "POST /orders/{id}/cancel", "delete", "order"),
        ("", "POST /v1/{+name}:cancel", "delete", ""),
        ("", "PUT /users/{id}/follow", "attach", "user"),
        ("", "DELETE /users/{id}/follow", "detach", "user"),
        ("", "DELETE /users/{id}", "delete", "user"),
        ("", "PATCH /users/{id}", "update", "user"),
        ("", "GET /", "read", ""),
        ("", "POST /top", "create", "top"),
    ],
)
def test_operations_of_an_api(operation_id: str, call: str, action: str, resource: str) -> None:
    method, path = call.split(" ")
    operation = describe_operation(operation_id=operation_id or call, method=method, path=path)
    assert (operation.action, operation.resource) == (action, resource)


@pytest.mark.parametrize(
    ("name", "summary", "action", "resource"),
    [
        ("cancel_pending_order", "", "delete", "pending order"),
        ("add_to_cart", "", "create", "cart"),
        ("restaurant_search", "", "search", "restaurant"),
        ("message_get_login_status", "", "read", "login status"),
        ("library.reserve_book", "", "create", "book"),
        ("court_case.search", "", "search", "court case"),
        ("get_all", "", "list", ""),
        ("math.factorial", "Calculates the factorial.", "read", "factorial"),
        ("levelUp", "Applies a level.", "update", "level up"),
        ("levelUp", "Does it.", "other", "level up"),
        ("levelUp", "- does it.", "other", "level up"),
        ("levelUp", "", "other", "level up"),
        ("by_name", "", "other", "by name"),
    ],
)
def test_functions(name: str, summary: str, action: str, resource: str) -> None:
    operation = describe_operation(operation_id=name, summary=summary)
    assert (operation.action, operation.resource) == (action, resource)


@given(
    st.none() | st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "LINK"]),
    st.none() | st.text("ab{}:/?#.s", max_size=12),
    st.lists(st.sampled_from(["get", "users", "by", "list", "v", "2", "all", "batch"]), max_size=5),
    st.text(max_size=10),
)
def test_there_is_always_an_action(
    method: str | None, path: str | None, words: list[str], summary: str
) -> None:
    action = derive_action(method=method, path=path, words=words, summary=summary)
    assert action in ACTIONS
    if method == "DELETE" and path is not None and not words:
        assert action in {"delete", "detach"}
    resource = derive_resource(path=path, words=words)
    assert resource == resource.strip()


def test_the_tables_do_not_contradict_each_other() -> None:
    assert set(VERBS.values()) == set(ACTIONS) - {"other"}
    assert set(VERBS) >= CLEAR_VERBS
    assert not set(VERBS) & (QUALIFIERS | PREPOSITIONS)


@pytest.mark.parametrize("verb", ["get", "create", "apply", "publish", "dispatch"])
def test_the_third_person_is_the_same_verb(verb: str) -> None:
    third = verb[:-1] + "ies" if verb.endswith("ly") else verb + ("es" if verb[-1] == "h" else "s")
    assert verb_action(third) == verb_action(verb)


def test_a_name_is_split_at_its_points() -> None:
    assert own_name_words("a.b.batchGet") == ("batch", "get", "b")
    assert own_name_words("Get region details.") == ("get", "region", "details")
    assert own_name_words("...") == ()


@pytest.mark.parametrize(
    ("name", "bound"), [("restbench_tmdb_wide", 0.0), ("bfcl_nonlive", 0.1), ("sealtools_dev", 0.1)]
)
def test_few_real_operations_are_other(name: str, bound: float) -> None:
    path = shared_dir() / "data/ranking" / name / "catalog.jsonl"
    if not path.is_file():
        pytest.skip(f"the evaluation data is not at {shared_dir()}")
    catalog = read_jsonl(path)
    assert sum(operation.action == "other" for operation in catalog) <= bound * len(catalog)
