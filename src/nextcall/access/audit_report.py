"""What an auditor asks for: counts of a span of time, what was serious, whether the log holds."""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import func, select

from nextcall.access.audit_chain import Verification, verify
from nextcall.access.audit_event import KINDS, SEVERITIES, moment_text
from nextcall.access.audit_search import within
from nextcall.access.tables import AUDIT_EVENT
from nextcall.storage.database import LONG, Database


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplianceReport:
    """A span of time of the audit log."""

    since: datetime
    until: datetime
    """Left out itself."""
    made_at: datetime
    events: int
    by_kind: dict[str, int]
    by_severity: dict[str, int]
    by_action: dict[str, int]
    """By kind and action, such as ``key revoked``."""
    users: int
    """Different ones that events name."""
    verification: Verification
    """Of the whole log."""

    def to_json(self) -> str:
        """Write it as JSON; moments in UTC."""
        document = {
            "since": moment_text(self.since),
            "until": moment_text(self.until),
            "made_at": moment_text(self.made_at),
            "events": self.events,
            "by_kind": self.by_kind,
            "by_severity": self.by_severity,
            "by_action": self.by_action,
            "users": self.users,
            "log": {"intact": self.verification.intact, **asdict(self.verification)},
        }
        return json.dumps(document, indent=2) + "\n"

    def to_csv(self) -> str:
        """Write it as a table: section, name, value.

        A text that a spreadsheet would take for a formula begins with an apostrophe.
        """
        log = self.verification
        rows: list[tuple[str, str, object]] = [
            ("report", "since", moment_text(self.since)),
            ("report", "until", moment_text(self.until)),
            ("report", "made_at", moment_text(self.made_at)),
            ("report", "events", self.events),
            ("report", "users", self.users),
        ]
        for section in ("by_kind", "by_severity", "by_action"):
            counts: dict[str, int] = getattr(self, section)
            rows += [(section, name, count) for name, count in counts.items()]
        rows += [
            ("log", "intact", str(log.intact).lower()),
            ("log", "events", log.events),
            ("log", "first", log.first),
            ("log", "last", log.last),
            ("log", "tip", log.tip),
            *(("fault", str(fault.number), fault.what) for fault in log.faults),
        ]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("section", "name", "value"))
        writer.writerows((one, _plain(two), three) for one, two, three in rows)
        return text.getvalue()


def compliance_report(
    database: Database,
    *,
    since: datetime,
    until: datetime,
    now: datetime,
    key: bytes = b"",
    previous: Sequence[bytes] = (),
) -> ComplianceReport:
    """Count the events of a span of time, and verify the log with its keys; see `verify`.

    Raises
    ------
    ValueError
        Where the span is empty.
    """
    if since >= until:
        raise ValueError(
            f"since must be before until, got {since.isoformat()} and {until.isoformat()}."
        )
    group = (AUDIT_EVENT.c.kind, AUDIT_EVENT.c.severity, AUDIT_EVENT.c.action)
    spanned = within(since, until)
    with database.reading(seconds=LONG) as connection:
        rows = connection.execute(
            select(*group, func.count().label("n")).where(*spanned).group_by(*group)
        ).all()
        users = connection.scalar(select(func.count(AUDIT_EVENT.c.user.distinct())).where(*spanned))
    kinds, severities = Counter(dict.fromkeys(KINDS, 0)), Counter(dict.fromkeys(SEVERITIES, 0))
    actions = Counter[str]()
    for row in rows:
        kinds[row.kind] += row.n
        severities[row.severity] += row.n
        actions[f"{row.kind} {row.action}"] += row.n
    return ComplianceReport(
        since=since,
        until=until,
        made_at=now,
        events=sum(kinds.values()),
        by_kind=dict(kinds),
        by_severity=dict(severities),
        by_action=dict(sorted(actions.items())),
        users=int(users or 0),
        verification=verify(database, key=key, previous=previous),
    )


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
