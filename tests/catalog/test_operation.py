"""Operations from what their descriptions state."""

import pytest

from nextcall.catalog import describe_operation
from nextcall.catalog.operation import name_words


def test_an_operation_is_described_in_plain_text() -> None:
    operation = describe_operation(
        operation_id="s3:GetObject",
        method="get",
        path="/{Bucket}/{Key+}",
        tags=iter(["Amazon S3"]),
        description="<p>Gets an <b>object</b>.</p> <p>Needs &lt;rights&gt;.</p>",
        source="botocore",
    )
    assert operation.method == "GET"
    assert operation.service == "Amazon S3"
    assert operation.summary == "Gets an object."
    assert operation.description == "Gets an object. Needs <rights>."
    assert operation.words == ("get", "object")
    assert operation.api_call == "GET /{Bucket}/{Key+}"


def test_what_is_missing_is_filled_from_what_is_there() -> None:
    operation = describe_operation(operation_id="f", summary="Does it.", source="tools")
    assert (operation.service, operation.description) == ("tools", "Does it.")
    assert operation.api_call == "f"
    assert describe_operation(operation_id="f", path="/a").api_call == "f"


@pytest.mark.parametrize("identifier", ["", "  "])
def test_an_id_is_needed(identifier: str) -> None:
    with pytest.raises(ValueError, match="operation_id must not be empty"):
        describe_operation(operation_id=identifier)


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("repos/list-for-user", ("list", "for", "user")),
        ("Tool::Get a Thing: now", ("get", "a", "thing", "now")),
        ("path/", ("path",)),
        ("GET /a/{id}/b", ("get", "a", "id", "b")),
    ],
)
def test_words_of_a_name(identifier: str, words: tuple[str, ...]) -> None:
    assert name_words(identifier, method=None, path=None)[-1] == words[-1]
