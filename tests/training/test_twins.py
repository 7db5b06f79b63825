import pytest

from nextcall.catalog import Operation, describe_operation
from nextcall.training.twins import TWINS, twin_kind


def _operation(operation_id: str) -> Operation:
    return describe_operation(operation_id=operation_id, service=operation_id.partition(":")[0])


@pytest.mark.parametrize(
    ("one", "other", "cosine", "expected"),
    [
        ("elb:CreateLoadBalancer", "elbv2:CreateLoadBalancer", 0.5, "same name"),
        ("s3:ListObjects", "s3:ListObjectsV2", 0.5, "same name"),
        ("ecr:GetImage", "ecr:BatchGetImages", 0.5, "one or many"),
        ("ec2:DescribeInstance", "ec2:DescribeInstances", 0.5, "one or many"),
        ("sqs:GetQueueUrl", "sqs:ListQueueUrls", 0.5, "list or read"),
        ("iam:GetRole", "sso:ListRoles", 0.95, "near"),
        ("iam:GetRole", "sso:ListRoles", 0.89, ""),
        ("iam:CreateRole", "iam:DeleteRole", 0.5, ""),
    ],
)
def test_twins_are_told_by_name_and_resource_and_by_cosine_last(
    one: str, other: str, cosine: float, expected: str
) -> None:
    pair = _operation(one), _operation(other)
    assert twin_kind(*pair, cosine=cosine) == expected
    assert twin_kind(*reversed(pair), cosine=cosine) == expected
    assert expected in {*TWINS, ""}


def test_operations_without_a_name_of_words_are_no_twins_by_it() -> None:
    one, other = (
        describe_operation(operation_id=f"GET {path}", method="GET", path=path, service=path)
        for path in ("/{a}", "/{b}")
    )
    assert twin_kind(one, other, cosine=0.0) == ""
