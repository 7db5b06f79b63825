"""Fixed parts of the AWS prompts: whole families of services, so that none is in two parts."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Final

from nextcall.sessions import Query

N_FOLDS: Final = 5
N_PARTS: Final = 2 * N_FOLDS
"""Parts that are never cut; fold ``f`` is parts ``2 f`` and ``2 f + 1``."""
NO_PART: Final = -1
"""Part of the services that have no prompt: never tested on, so free for learning transitions."""

_SHORTEST_PREFIX: Final = 3  # "iot" opens a family, "ce" or "ds" could open anything
_KIN: Final = (
    # Same interface or documentation under names that share no beginning.
    ("autoscaling", "application-autoscaling", "autoscaling-plans"),
    ("cloudwatch", "logs", "events", "pipes", "schemas", "scheduler", "synthetics"),
    ("codestar-connections", "codeconnections", "codestar-notifications"),
    ("docdb", "docdb-elastic", "neptune", "neptunedata", "neptune-graph", "rds", "rds-data"),
    ("cognito-idp", "cognito-identity", "cognito-sync"),
    ("ds", "ds-data"),
    ("lex-models", "lex-runtime", "lexv2-models", "lexv2-runtime"),
    ("s3", "s3control", "s3files", "s3outposts", "s3tables", "s3vectors"),
    ("elasticache", "memorydb"),
    ("es", "opensearch", "opensearchserverless", "osis"),
    ("pinpoint", "ses", "sesv2", "pinpoint-sms-voice-v2", "socialmessaging"),
    ("resource-groups", "resourcegroupstaggingapi", "resource-explorer-2"),
    ("ce", "cur", "budgets", "pricing", "bcm-data-exports"),
    ("discovery", "mgh", "migrationhub-config", "migrationhuborchestrator"),
    ("kinesis", "firehose"),
    ("sso", "identitystore"),
    ("pi", "devops-guru"),
)  # fmt: skip


def service_families(services: Iterable[str]) -> dict[str, str]:
    """Name the family of each service: those that are versions or parts of one product.

    Services belong together where one's name begins with the other's (``iot``, ``iotevents``),
    or where they are known to be kin (``docdb`` and ``neptune`` repeat the interface of ``rds``).

    Returns
    -------
    dict of str to str
        Family by service; a family is named after its first member.

    Examples
    --------
    >>> families = service_families(["elb", "elbv2", "s3", "s3control", "sqs"])
    >>> families["elbv2"], families["s3control"], families["sqs"]
    ('elb', 's3', 'sqs')
    """
    names = sorted(services)
    parent = {name: name for name in names}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    def join(first: str, second: str) -> None:
        low, high = sorted((root(first), root(second)))
        parent[high] = low

    for i, name in enumerate(names):
        if len(name) < _SHORTEST_PREFIX:
            continue
        for other in names[i + 1 :]:
            if not other.startswith(name):
                break
            join(name, other)
    for kin in _KIN:
        present = [name for name in kin if name in parent]
        for other in present[1:]:
            join(present[0], other)
    return {name: root(name) for name in names}


def share_out_services(services: Sequence[str], asked: Iterable[str]) -> dict[str, int]:
    """Share the families out over `N_PARTS` parts of like numbers of prompts.

    The largest family goes first, each to the part with the fewest prompts so far; a family
    without a prompt is in `NO_PART`.

    Parameters
    ----------
    services : sequence of str
        Every service of the catalogue.
    asked : iterable of str
        Service of each prompt.

    Returns
    -------
    dict of str to int
        Part by service.
    """
    families = service_families(services)
    sizes = Counter(families[service] for service in asked)
    loads = [0] * N_PARTS
    part_of_family: dict[str, int] = {}
    for family, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
        part = loads.index(min(loads))
        part_of_family[family] = part
        loads[part] += size
    return {name: part_of_family.get(families[name], NO_PART) for name in sorted(services)}


def committed_parts() -> dict[str, int]:
    """Read the part of each AWS service that every reported figure uses."""
    text = files("nextcall.training").joinpath("data", "aws_parts.json").read_text("utf-8")
    return {str(service): int(part) for service, part in json.loads(text).items()}


def operation_groups(queries: Sequence[Query]) -> list[str]:
    """Name, for each query, the group that a split by operation must keep together.

    Prompts of one operation belong together, and so do operations that share a prompt.
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for query in queries:
        for other in query.relevant[1:]:
            low, high = sorted((root(query.relevant[0]), root(other)))
            parent[high] = low
    return [root(query.relevant[0]) for query in queries]
