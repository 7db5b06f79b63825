"""Sessions from AWS CloudTrail's log files."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from nextcall.catalog import Catalog
from nextcall.progress import Progress, silent
from nextcall.sessions.call import Session
from nextcall.sessions.fields import Fields, json_object
from nextcall.sessions.idle_gaps import IDLE
from nextcall.sessions.log_files import log_json
from nextcall.sessions.logged_calls import LoggedCall, LogReport, gather_sessions

SERVICES_OF_SOURCE: Final[dict[str, tuple[str, ...]]] = {
    "access-analyzer": ("accessanalyzer",),
    "airflow": ("mwaa",),
    "aoss": ("opensearchserverless",),
    "apigateway": ("apigateway", "apigatewayv2"),
    "app-integrations": ("appintegrations",),
    "appstream2": ("appstream",),
    "applicationinsights": ("application-insights",),
    "aps": ("amp",),
    "autoscaling": ("autoscaling", "application-autoscaling", "autoscaling-plans"),
    "aws-marketplace": (
        "marketplace-catalog", "marketplace-agreement", "marketplace-entitlement",
        "meteringmarketplace",
    ),
    "bedrock": (
        "bedrock", "bedrock-runtime", "bedrock-agent", "bedrock-agent-runtime",
        "bedrock-data-automation", "bedrock-data-automation-runtime",
    ),
    "bedrock-agentcore": ("bedrock-agentcore", "bedrock-agentcore-control"),
    "cases": ("connectcases",),
    "cassandra": ("keyspaces", "keyspacesstreams"),
    "chime": (
        "chime", "chime-sdk-identity", "chime-sdk-media-pipelines", "chime-sdk-meetings",
        "chime-sdk-messaging", "chime-sdk-voice",
    ),
    "cloudcontrolapi": ("cloudcontrol",),
    "cloudhsm": ("cloudhsmv2", "cloudhsm"),
    "codeguru-profiler": ("codeguruprofiler",),
    "connect": ("connect", "connect-contact-lens"),
    "connect-campaigns": ("connectcampaignsv2", "connectcampaigns"),
    "dynamodb": ("dynamodb", "dynamodbstreams"),
    "elasticfilesystem": ("efs",),
    "elasticloadbalancing": ("elbv2", "elb"),
    "elasticmapreduce": ("emr",),
    "email": ("ses", "sesv2"),
    "es": ("opensearch", "es"),
    "forecast": ("forecast", "forecastquery"),
    "geo": ("location",),
    "greengrass": ("greengrassv2", "greengrass"),
    "iotdata": ("iot-data",),
    "ivs": ("ivs", "ivs-realtime"),
    "kinesisanalytics": ("kinesisanalyticsv2", "kinesisanalytics"),
    "kinesisvideo": (
        "kinesisvideo", "kinesis-video-archived-media", "kinesis-video-media",
        "kinesis-video-signaling", "kinesis-video-webrtc-storage",
    ),
    "lex": ("lexv2-models", "lexv2-runtime", "lex-models", "lex-runtime"),
    "memory-db": ("memorydb",),
    "mgh": ("mgh", "migrationhub-config"),
    "mobiletargeting": ("pinpoint",),
    "monitoring": ("cloudwatch",),
    "payment-cryptography": ("payment-cryptography", "payment-cryptography-data"),
    "personalize": ("personalize", "personalize-events", "personalize-runtime"),
    "profile": ("customer-profiles",),
    "rds": ("rds", "docdb", "neptune"),
    "refactor-spaces": ("migration-hub-refactor-spaces",),
    "s3": ("s3", "s3control"),
    "sagemaker": (
        "sagemaker", "sagemaker-runtime", "sagemaker-featurestore-runtime", "sagemaker-edge",
        "sagemaker-a2i-runtime", "sagemaker-metrics",
    ),
    "servicecatalog": ("servicecatalog", "servicecatalog-appregistry"),
    "servicequotas": ("service-quotas",),
    "ses": ("ses", "sesv2", "mailmanager"),
    "sms-voice": ("pinpoint-sms-voice-v2", "pinpoint-sms-voice"),
    "sso": ("sso-admin", "sso", "sso-oidc"),
    "states": ("stepfunctions",),
    "tagging": ("resourcegroupstaggingapi",),
    "timestream": ("timestream-query", "timestream-write"),
    "voiceid": ("voice-id",),
    "wisdom": ("qconnect", "wisdom"),
}  # fmt: skip
"""Folders of botocore by CloudTrail's event source without ``.amazonaws.com``, where the two differ
or where services share a source. A source is the service's endpoint prefix or signing name in
botocore's models, but for Application Auto Scaling and the sign-in services of ``sso``. Of several,
the first that has the operation is taken, unless the record's API version decides."""

SERVICE_OF_VERSION: Final[dict[tuple[str, str], str]] = {
    ("cloudhsm", "2014-05-30"): "cloudhsm",
    ("elasticloadbalancing", "2012-06-01"): "elb",
    ("es", "2015-01-01"): "es",
    ("greengrass", "2017-06-07"): "greengrass",
    ("kinesisanalytics", "2015-08-14"): "kinesisanalytics",
    ("ses", "2019-09-27"): "sesv2",
    ("email", "2019-09-27"): "sesv2",
    ("sms-voice", "2018-09-05"): "pinpoint-sms-voice",
}
"""Folder of botocore by event source and API version, for operations that services of one source
share by name; a version that is not here is that of the first service."""

_SOURCE_SUFFIX: Final = ".amazonaws.com"
_VERSION_SUFFIX: Final = re.compile(r"(?:\d{8}|\d{4}_\d{2}_\d{2})(?:v\d+)?$")


def read_cloudtrail(
    path: Path, catalog: Catalog, *, idle: timedelta = IDLE, progress: Progress = silent
) -> tuple[list[Session], LogReport]:
    """Read the records of CloudTrail that are calls of an AWS catalogue.

    Parameters
    ----------
    path : Path
        A file ``{"Records": [...]}``, gzipped or not, or a folder: then every ``.json`` and
        ``.json.gz`` file in it and its folders, as CloudTrail delivers them.
    catalog : Catalog
        Operation ids have the form ``ec2:DescribeInstances``.
    idle : datetime.timedelta
        A longer pause begins a new session.
    progress : Progress
        Shows the files as they are read.

    Returns
    -------
    list of Session
        By time. The user is the identity's ARN, else its principal, its account or the service
        that called. A record with an ``errorCode`` is an ``error``.
    LogReport
        Counts records; in a folder, a file that is no such file counts as one malformed record.

    Raises
    ------
    ValueError
        Where the file has another form, or no record can be read.
    OSError
        Where it cannot be opened.
    """
    files = _files(path)

    def parse(placed: tuple[str, object]) -> LoggedCall:
        place, value = placed
        if isinstance(value, ValueError):
            raise value
        record = json_object(place, value)
        source, name = record.text("eventSource"), record.text("eventName")
        time = record.time("eventTime")
        if time is None:
            raise record.error("eventTime", "must be an ISO 8601 time", None)
        return LoggedCall(
            user_id=_user(record.child("userIdentity")),
            name=f"{source} {name}",
            operation_id=_operation(source, name, record.text("apiVersion", ""), catalog),
            time=time,
            outcome="error" if record.text("errorCode", "") else "ok",
        )

    shown = progress(files, description="Reading CloudTrail", total=len(files))
    return gather_sessions(
        (placed for file in shown for placed in _records(file)), parse, path=path, idle=idle
    )


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(
        file for file in path.rglob("*.json*") if file.name.endswith((".json", ".json.gz"))
    )


def _records(path: Path) -> Iterator[tuple[str, object]]:
    try:
        content = json_object(str(path), log_json(path))
        if "Records" not in content.values:
            raise content.error("Records", "must be there in a CloudTrail file", None)
        records = content.items("Records")
    except ValueError as error:
        yield str(path), error
        return
    for number, record in enumerate(records):
        yield f"{path}: Records[{number}]", record


def _user(identity: Fields) -> str:
    names = ("arn", "principalId", "accountId", "invokedBy", "type")
    found = next((name for name in names if identity.values.get(name)), None)
    return identity.text(found) if found else "unknown"


def _operation(source: str, name: str, version: str, catalog: Catalog) -> str | None:
    """Give the catalogue's id for an event; Lambda and CloudFront append a date to the name."""
    prefix = source.removesuffix(_SOURCE_SUFFIX)
    services = SERVICES_OF_SOURCE.get(prefix, (prefix,))
    versioned = SERVICE_OF_VERSION.get((prefix, version))
    for service in (versioned, *services) if versioned else services:
        for candidate in (name, _VERSION_SUFFIX.sub("", name)):
            if f"{service}:{candidate}" in catalog:
                return f"{service}:{candidate}"
    return None
