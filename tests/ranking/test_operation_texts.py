"""What is embedded of an operation."""

from nextcall.catalog import describe_operation
from nextcall.ranking.operation_texts import label_text, operation_text


def test_a_service_that_is_only_a_source_is_not_said() -> None:
    """Where descriptions came from says nothing to a prompt; summary and text are both said."""
    plain = describe_operation(operation_id="get_user", source="some-set", description="Gets one.")
    assert operation_text(plain) == "get user. Gets one."
    assert label_text(plain) == "get user"
    tagged = describe_operation(
        operation_id="get_user",
        source="some-set",
        tags=("People",),
        summary="Look up a person",
        description="Gets one.",
    )
    assert operation_text(tagged) == "People: get user. Look up a person. Gets one."
    assert label_text(tagged) == "get user People"
    long = describe_operation(operation_id="aws:Run", service="aws", description="word " * 80)
    assert operation_text(long) == f"aws: run. {'word ' * 40}".rstrip(" ") + " "
