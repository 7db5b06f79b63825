"""`nextcall audit`: search the log, report on it, verify it, change its key, forget the old."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer

from nextcall.cli.access_options import (
    DatabaseOption,
    all_audit_keys,
    audit_key,
    moment,
    opened,
)
from nextcall.cli.console import note, print_table

app = typer.Typer(
    no_args_is_help=True,
    help="Search the audit log, report on it, verify it, change its key, forget what is old.",
    rich_markup_mode=None,  # as the whole command line
)

_MOMENT = "a day or a moment, UTC where it has no zone"


@app.command("search")
def search(
    *,
    kind: Annotated[
        str | None,
        typer.Option(help="authentication, authorization, key, user, data, security or system."),
    ] = None,
    severity: Annotated[str | None, typer.Option(help="info, warning or critical.")] = None,
    user: Annotated[str | None, typer.Option(help="Who did it.")] = None,
    since: Annotated[str | None, typer.Option(help=f"From: {_MOMENT}.")] = None,
    until: Annotated[str | None, typer.Option(help=f"Before: {_MOMENT}.")] = None,
    most: Annotated[int, typer.Option(help="Events, the newest first.")] = 100,
    database: DatabaseOption = None,
) -> None:
    """Show events, the newest first."""
    from nextcall.access.audit_search import search as find

    with opened(database) as kept:
        records = find(
            kept,
            kind=kind,
            severity=severity,
            user=user,
            since=moment("since", since),
            until=moment("until", until),
            most=most,
        )
    print_table(
        ("number", "at", "kind", "severity", "action", "user", "details"),
        [
            (
                str(record.number),
                f"{record.event.at:%Y-%m-%d %H:%M:%S}",
                record.event.kind,
                record.event.severity,
                record.event.action,
                record.event.user or "-",
                record.event.details_text(),
            )
            for record in records
        ],
    )


@app.command("report")
def report(
    *,
    since: Annotated[
        str | None, typer.Option(help=f"From: {_MOMENT}. Default: 90 days ago.")
    ] = None,
    until: Annotated[str | None, typer.Option(help=f"Before: {_MOMENT}. Default: now.")] = None,
    form: Annotated[
        Literal["json", "csv"], typer.Option("--format", help="Of the report.")
    ] = "json",
    output: Annotated[Path | None, typer.Option(help="File; else it is printed.")] = None,
    database: DatabaseOption = None,
) -> None:
    """Count the events of a span of time, and say whether the log holds."""
    from nextcall.access.audit_log import RETENTION
    from nextcall.access.audit_report import compliance_report
    from nextcall.files import atomic_path

    now, keys = datetime.now(UTC), all_audit_keys()
    end = moment("until", until) or now
    with opened(database) as kept:
        made = compliance_report(
            kept,
            since=moment("since", since) or end - RETENTION,
            until=end,
            now=now,
            key=keys[0],
            previous=keys[1:],
        )
    text = made.to_json() if form == "json" else made.to_csv()
    if output is None:
        typer.echo(text, nl=False)
        return
    with atomic_path(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    note(f"Wrote the report to {output}.")


@app.command("verify")
def verify(
    *,
    known: Annotated[
        str | None,
        typer.Option(help="NUMBER:HASH that an earlier verification printed and you kept."),
    ] = None,
    database: DatabaseOption = None,
) -> None:
    """Walk the whole chain; exit code 1 where an event was changed, put in or taken away."""
    from nextcall.access.audit_chain import verify as walk

    tip = None
    if known is not None:
        number, _, digest = known.partition(":")
        if not number.isdecimal() or not digest:
            raise ValueError(f"known must be NUMBER:HASH, got {known[:100]!r}.")
        tip = int(number), digest
    keys = all_audit_keys()
    with opened(database) as kept:
        found = walk(kept, key=keys[0], previous=keys[1:], known=tip)
    for fault in found.faults:
        typer.echo(f"event {fault.number} {fault.what}")
    if not found.intact:
        note(f"The log of {found.events:,} events is NOT what was written.")
        raise typer.Exit(1)
    if found.last is not None:
        typer.echo(f"{found.last}:{found.tip}")
    note(f"The log of {found.events:,} events is what was written.")


@app.command("change-key")
def change_key(*, database: DatabaseOption = None) -> None:
    """Go on with NEXTCALL_AUDIT_SECRET; NEXTCALL_PREVIOUS_AUDIT_SECRETS names those before."""
    from nextcall.access.audit_key import change_key as change

    with opened(database) as kept:
        number = change(kept, keys=all_audit_keys(), now=datetime.now(UTC))
    note(f"From event {number:,} on the log has another key.")


@app.command("forget")
def forget(
    *,
    keep_days: Annotated[int, typer.Option(min=1, max=36_500, help="Younger events stay.")] = 90,
    database: DatabaseOption = None,
) -> None:
    """Delete the events that are past their retention; the rest can still be verified."""
    from nextcall.access.audit_key import require_key
    from nextcall.access.audit_log import forget_old

    with opened(database) as kept:
        with kept.writing() as connection:
            require_key(connection, audit_key())
        count = forget_old(
            kept, now=datetime.now(UTC), keep=timedelta(days=keep_days), key=audit_key()
        )
    note(f"{count:,} events are gone.")
