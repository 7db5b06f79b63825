"""Search by name and documentation."""

import pytest

from nextcall.catalog import Catalog, describe_operation
from nextcall.catalog.search import search

CATALOG = Catalog(
    "aws",
    tuple(
        describe_operation(operation_id=name, description=text)
        for name, text in (
            ("ec2:DescribeInstances", "Describes the specified instances or all of them."),
            ("ec2:DescribeInstanceStatus", "Describes the status of instances."),
            ("ec2:RunInstances", "Launches the specified number of virtual machines."),
            ("s3:CreateBucket", "Makes a place for objects."),
            ("s3:PutObject", "Adds an object to a bucket."),
            ("x:__", ""),
        )
    ),
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("DescribeInstances", "ec2:DescribeInstances"),
        ("describe_instances", "ec2:DescribeInstances"),
        ("instance status", "ec2:DescribeInstanceStatus"),
        ("launch virtual machines", "ec2:RunInstances"),
        ("creating buckets", "s3:CreateBucket"),
        ("objects added", "s3:PutObject"),
    ],
)
def test_the_one_that_is_meant_comes_first(query: str, expected: str) -> None:
    found = search(CATALOG, query, 3)
    assert found[0][0].operation_id == expected
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert all(score > 0 for score in scores)
    assert len(found) <= 3


def test_what_has_no_word_of_the_query_is_left_out() -> None:
    assert search(CATALOG, "zebra") == []
    assert {one.operation_id for one, _ in search(CATALOG, "status")} == {
        "ec2:DescribeInstanceStatus"
    }


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        search(CATALOG, "a", 0)
    with pytest.raises(ValueError, match=r"query must hold at least one word, got '!'"):
        search(CATALOG, "!")
