import gzip
import json
import re
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from nextcall.catalog import Catalog, describe_operation
from nextcall.sessions.cloudtrail import SERVICE_OF_VERSION, SERVICES_OF_SOURCE, read_cloudtrail

_AWS = Catalog(
    "aws",
    tuple(
        describe_operation(operation_id=name, method="POST", path="/")
        for name in (
            "ec2:DescribeInstances", "ec2:RunInstances", "elb:DescribeLoadBalancers",
            "elbv2:DescribeLoadBalancers", "elb:CreateLBCookieStickinessPolicy",
            "cloudwatch:PutMetricAlarm", "stepfunctions:StartExecution", "lambda:CreateFunction",
            "lambda:UpdateFunctionConfiguration", "cloudfront:CreateDistribution",
            "application-autoscaling:RegisterScalableTarget", "s3control:CreateJob",
        )
    ),
)  # fmt: skip
_ANN = {
    "type": "IAMUser",
    "principalId": "AIDAEXAMPLE",
    "arn": "arn:aws:iam::123456789012:user/ann",
    "accountId": "123456789012",
    "userName": "ann",
}


def _record(service: str, name: str, second: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.08",
        "userIdentity": _ANN,
        "eventTime": f"2024-05-01T12:00:{second:02}Z",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
    } | more


def _write(file: Path, *records: Any) -> Path:
    content = json.dumps({"Records": records}).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(content) if file.suffix == ".gz" else content)
    return file


def test_records_become_sessions(tmp_path: Path) -> None:
    root = {"type": "Root", "accountId": "123456789012"}
    records = [
        _record("ec2", "RunInstances", 5, errorCode="Client.UnauthorizedOperation"),
        _record("ec2", "RunInstances", 9),
        _record("ec2", "DescribeInstances", 1),
        _record("signin", "ConsoleLogin", 2),
        _record("ec2", "DescribeInstances", 3, userIdentity=root),
        _record("ec2", "DescribeInstances", 4, userIdentity={}),
        _record("ec2", "DescribeInstances", 4, eventTime=None),
        "no record",
    ]
    sessions, report = read_cloudtrail(_write(tmp_path / "trail.json.gz", *records), _AWS)
    assert [session.user_id for session in sessions] == [
        "arn:aws:iam::123456789012:user/ann", "123456789012", "unknown",
    ]  # fmt: skip
    assert [(call.operation_id, call.outcome) for call in sessions[0].calls] == [
        ("ec2:DescribeInstances", "ok"),
        ("ec2:RunInstances", "error"),
        ("ec2:RunInstances", "retry"),
    ]
    assert sessions[0].calls[0].time == datetime(2024, 5, 1, 12, 0, 1, tzinfo=UTC)
    assert (report.lines, report.matched, report.unmatched, report.malformed) == (8, 5, 1, 2)
    assert report.common_unmatched == (("signin.amazonaws.com ConsoleLogin", 1),)
    assert "Records[6]: 'eventTime' must be an ISO 8601 time, got nothing" in report.first_malformed


@pytest.mark.parametrize(
    ("service", "name", "version", "operation_id"),
    [
        (
            "elasticloadbalancing",
            "DescribeLoadBalancers",
            "2015-12-01",
            "elbv2:DescribeLoadBalancers",
        ),
        (
            "elasticloadbalancing",
            "DescribeLoadBalancers",
            "2012-06-01",
            "elb:DescribeLoadBalancers",
        ),
        ("elasticloadbalancing", "DescribeLoadBalancers", "", "elbv2:DescribeLoadBalancers"),
        (
            "elasticloadbalancing",
            "CreateLBCookieStickinessPolicy",
            "",
            "elb:CreateLBCookieStickinessPolicy",
        ),
        ("monitoring", "PutMetricAlarm", "", "cloudwatch:PutMetricAlarm"),
        ("states", "StartExecution", "", "stepfunctions:StartExecution"),
        ("lambda", "CreateFunction20150331", "", "lambda:CreateFunction"),
        (
            "lambda",
            "UpdateFunctionConfiguration20150331v2",
            "",
            "lambda:UpdateFunctionConfiguration",
        ),
        ("cloudfront", "CreateDistribution2020_05_31", "", "cloudfront:CreateDistribution"),
        (
            "autoscaling",
            "RegisterScalableTarget",
            "",
            "application-autoscaling:RegisterScalableTarget",
        ),
        ("s3", "CreateJob", "", "s3control:CreateJob"),
    ],
)
def test_event_sources_find_their_service(
    tmp_path: Path, service: str, name: str, version: str, operation_id: str
) -> None:
    more: dict[str, Any] = {"apiVersion": version} if version else {}
    file = _write(tmp_path / "trail.json", _record(service, name, **more))
    sessions, _ = read_cloudtrail(file, _AWS)
    assert sessions[0].calls[0].operation_id == operation_id


def test_a_folder_is_read_as_one_log(tmp_path: Path) -> None:
    _write(tmp_path / "2024/05/01/b.json.gz", _record("ec2", "RunInstances", 2))
    _write(tmp_path / "2024/05/01/a.json", _record("ec2", "DescribeInstances", 7))
    (tmp_path / "2024/digest.json").write_text('{"digestStartTime": 0}')
    (tmp_path / "notes.jsonl").write_text("not read")
    sessions, report = read_cloudtrail(tmp_path, _AWS)
    assert [call.operation_id for call in sessions[0].calls] == [
        "ec2:RunInstances", "ec2:DescribeInstances",
    ]  # fmt: skip
    assert (report.matched, report.malformed) == (2, 1)
    assert "digest.json: 'Records' must be there in a CloudTrail file" in report.first_malformed


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("{}", r"trail.json: 'Records' must be there in a CloudTrail file"),
        ("[]", r"trail.json: must be a JSON object, got a list"),
        ('{"Records": []}', r"trail.json: must tell of at least one call"),
        ('{"Records": [{}]}', r"Records\[0\]: 'eventSource' must be text, got nothing"),
        ("{", r"trail.json:1: must be JSON"),
    ],
)
def test_what_is_no_log_of_cloudtrail_is_refused(tmp_path: Path, content: str, rule: str) -> None:
    file = tmp_path / "trail.json"
    file.write_text(content)
    with pytest.raises(ValueError, match=rule):
        read_cloudtrail(file, _AWS)


def _models() -> dict[str, dict[str, str]]:
    """Endpoint prefix, signing name and version of every service, from the head of its models."""
    spec = find_spec("botocore")
    assert spec is not None
    assert spec.origin is not None
    models = {}
    for file in sorted(Path(spec.origin).parent.glob("data/*/*/service-2.json.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as model:
            head = model.read(3000).split('"operations"')[0]
        models[file.parent.parent.name] = dict(
            re.findall(r'"(apiVersion|endpointPrefix|signingName)"\s*:\s*"([^"]+)"', head)
        )
    return models


def test_the_table_of_sources_is_that_of_botocore() -> None:
    models = _models()
    by_hand = {
        ("autoscaling", "application-autoscaling"), ("autoscaling", "autoscaling-plans"),
        ("sso", "sso"), ("sso", "sso-oidc"),
    }  # fmt: skip
    for source, services in SERVICES_OF_SOURCE.items():
        for service in services:
            model = models[service]
            names = {model["endpointPrefix"], model.get("signingName")}
            assert source in names or (source, service) in by_hand, (source, service)
    for (source, version), service in SERVICE_OF_VERSION.items():
        assert service in SERVICES_OF_SOURCE[source]
        assert models[service]["apiVersion"] == version
        first = SERVICES_OF_SOURCE[source][0]
        assert service == first or models[first]["apiVersion"] != version
