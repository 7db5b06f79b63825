"""`nextcall keys`: make, list, rotate and revoke API keys."""

from typing import Annotated

import typer

from nextcall.cli.access_options import DatabaseOption, Recorded, opened
from nextcall.cli.console import note, print_table

app = typer.Typer(
    no_args_is_help=True,
    help="Make, list, rotate and revoke API keys.",
    rich_markup_mode=None,  # as the whole command line
)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    *,
    user: Annotated[str | None, typer.Option(help="Whose it is; see `nextcall users`.")] = None,
    role: Annotated[
        str | None,
        typer.Option(help="admin, developer, user, readonly or guest. Default: the user's."),
    ] = None,
    tier: Annotated[
        str | None,
        typer.Option(help="Rates: free, basic, pro or enterprise. Default: 60 a minute."),
    ] = None,
    multiplier: Annotated[float, typer.Option(help="The rates times this.")] = 1.0,
    days: Annotated[float, typer.Option(help="Until it expires.")] = 90,
    database: DatabaseOption = None,
) -> None:
    """Make a key, and print it: it is never shown again."""
    from datetime import timedelta

    from nextcall.access.keys import create_key

    recorded = Recorded("key", "created", name=name, of_user=user, role=role, tier=tier)
    with opened(database) as kept:
        key, record = create_key(
            kept,
            name,
            now=recorded.now,
            user=user,
            role=role,
            tier=tier,
            rate_limit_multiplier=multiplier,
            lifetime=timedelta(days=_days(days)),
            also=lambda connection, made: recorded(connection, key_id=made.id),
        )
    typer.echo(key)
    note(
        f"Key {record.id} works until {record.expires_at:%Y-%m-%d %H:%M} UTC. "
        "Only its hash is kept: copy it now."
    )


@app.command("list")
def list_all(
    *,
    user: Annotated[str | None, typer.Option(help="Keys of one user only.")] = None,
    database: DatabaseOption = None,
) -> None:
    """List keys: of whom, how long, whether they work."""
    from datetime import UTC, datetime

    from nextcall.access.keys import list_keys

    now = datetime.now(UTC)
    with opened(database) as kept:
        keys = list_keys(kept, user=user)
    print_table(
        ("id", "name", "user", "role", "tier", "multiplier", "status", "expires"),
        [
            (
                key.id,
                key.name,
                key.user or "-",
                key.role or "-",
                key.tier or "-",
                f"{key.rate_limit_multiplier:g}",
                key.status(now),
                f"{key.expires_at:%Y-%m-%d}",
            )
            for key in keys
        ],
    )


@app.command("rotate")
def rotate(
    key: Annotated[str, typer.Argument(help="Id of the key, as `list` shows it.")],
    *,
    overlap_hours: Annotated[
        float, typer.Option(help="How long the old key works on; 0: not at all.")
    ] = 0,
    database: DatabaseOption = None,
) -> None:
    """Replace a key by one of the same kind, and print that: it is never shown again."""
    from datetime import timedelta

    from nextcall.access.keys import rotate_key

    hours = _days(overlap_hours)
    recorded = Recorded("key", "rotated", replaces=key, overlap_seconds=hours * 3600)
    with opened(database) as kept:
        text, record = rotate_key(
            kept,
            key,
            now=recorded.now,
            overlap=timedelta(hours=hours),
            also=lambda connection, made: recorded(connection, key_id=made.id),
        )
    typer.echo(text)
    note(f"Key {record.id} replaces {key}. Only its hash is kept: copy it now.")


@app.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(help="Id of the key, as `list` shows it.")],
    *,
    database: DatabaseOption = None,
) -> None:
    """Revoke a key for good; services that run refuse it within a second."""
    from nextcall.access.keys import revoke_key

    recorded = Recorded("key", "revoked", key_id=key)
    with opened(database) as kept:
        record = revoke_key(
            kept, key, now=recorded.now, also=lambda connection, _: recorded(connection)
        )
    note(f"Key {record.id} ({record.name}) is revoked.")


def _days(number: float) -> float:
    if not abs(number) < 1e6:
        raise ValueError(f"a time must be a number below a million, got {number}.")
    return number
