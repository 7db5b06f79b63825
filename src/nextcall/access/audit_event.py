"""What the audit log keeps of an event, and the hash that chains it to the one before."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, get_args

Kind: TypeAlias = Literal[
    "authentication", "authorization", "key", "user", "data", "security", "system"
]
Severity: TypeAlias = Literal["info", "warning", "critical"]
Detail: TypeAlias = str | int | float | bool | None

KINDS: Final[tuple[str, ...]] = get_args(Kind)
SEVERITIES: Final[tuple[str, ...]] = get_args(Severity)

DETAILS: Final = frozenset(
    {
        "catalog", "count", "cutoff", "environment", "expires_at", "family", "first", "job_id",
        "jti", "key_id", "last", "limit", "method", "name", "of_user", "overlap_seconds",
        "permission", "port", "reason", "replaces", "request_id", "retry_after", "risk", "role",
        "role_before", "route", "status", "test_id", "tier", "tip", "version", "window",
    }
)  # fmt: skip
"""Names of what an event may tell besides. No prompt, body, header or address is among them."""

GENESIS: Final = "0" * 64
"""What the first event is chained to."""

KEY_CHANGED: Final = "audit key changed"
"""Action of the first event that is hashed with another key."""

_LONGEST: Final = 200
_SECRETS: Final = re.compile(
    r"nc_[0-9A-Za-z]{20,}"  # a key, or a part of one
    r"|eyJ[\w-]{8,}\.[\w-]*\.?[\w-]*"  # a JSON Web Token
    r"|(?i:bearer|basic)\s+\S{8,}"
    r"|(?i:sk|pk|ghp|gho|xox[a-z]|AKIA)[-_]?[0-9A-Za-z_-]{16,}"  # keys of other services
    r"|-----BEGIN[^-]*-----.*"
    r"|(?<=://)[^/\s:@]*:[^/\s@]*(?=@)",  # a password in a URL
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Something that happened; texts lose what looks like a secret, and all but 200 characters.

    Raises
    ------
    ValueError
        Where the kind, severity or the name of a detail is not known, or the moment has no zone.

    Examples
    --------
    >>> event = AuditEvent(
    ...     at=datetime(2026, 5, 1, tzinfo=UTC), kind="key", action="created", user="Ada",
    ...     details={"name": "for nc_0123456789012345678901234567890123456789"})
    >>> event.details["name"]
    'for [removed]'
    """

    at: datetime
    kind: Kind
    action: str
    """What was done, such as ``created`` or ``refused``."""
    severity: Severity = "info"
    user: str | None = None
    details: Mapping[str, Detail] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value, known in (
            ("kind", self.kind, KINDS),
            ("severity", self.severity, SEVERITIES),
        ):
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}.")
        if self.at.tzinfo is None:
            raise ValueError(f"at must have a zone, got {self.at.isoformat()}.")
        if unknown := set(self.details) - DETAILS:
            raise ValueError(f"details must be of known names, got {sorted(unknown)}.")
        details = {name: _clean(self.details[name]) for name in sorted(self.details)}
        object.__setattr__(self, "at", self.at.astimezone(UTC))
        object.__setattr__(self, "action", _clean(self.action))
        object.__setattr__(self, "user", _clean(self.user))
        object.__setattr__(self, "details", MappingProxyType(details))

    def details_text(self) -> str:
        """Write the details as JSON, always the same way."""
        return json.dumps(dict(self.details), sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """An event in the log."""

    number: int
    """1 for the first that ever was; none is left out."""
    event: AuditEvent
    before: str
    """Hash of the event before."""
    hash: str


def event_hash(row: Any, *, key: bytes = b"") -> str:
    """Hash all that a row of the log says, the hash before it included.

    Parameters
    ----------
    row : row of the log
        Has ``number``, ``at``, ``kind``, ``severity``, ``action``, ``user``, ``details`` and
        ``before``, as they are kept.
    key : bytes
        Up to 64; with one, nobody who has not it can write a chain that holds.
    """
    said = [row.number, row.at, row.kind, row.severity, row.action, row.user, row.details]
    return chained(row.before, said, key=key)


def chained(before: str, said: list[Any], *, key: bytes) -> str:
    """Hash a hash, and what came after it."""
    text = json.dumps([before, *said], ensure_ascii=True, separators=(",", ":"))
    return blake2b(text.encode("ascii"), digest_size=32, key=key).hexdigest()


def moment_text(moment: datetime) -> str:
    """Write a moment in UTC so that texts sort as moments do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_moment(text: str) -> datetime:
    """Read what `moment_text` wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def _clean(value: Detail) -> Detail:
    if isinstance(value, str):
        removed = _SECRETS.sub("[removed]", value)
        safe = removed.encode("utf-8", "replace").decode().replace("\0", "")  # as databases keep
        return safe if len(safe) <= _LONGEST else f"{safe[: _LONGEST - 3]}..."
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)  # noqa: PLR0124  # JSON has no nan
    return value
