"""The verb `token`: make or revoke a token."""

from typing import Annotated

import typer

from nextcall.cli.access_options import DatabaseOption, Recorded, opened
from nextcall.cli.console import note


def token(
    user: Annotated[str | None, typer.Argument(help="Whom it speaks for.")] = None,
    *,
    role: Annotated[
        str | None,
        typer.Option(help="Of a user whom the database does not know. Default: the user's there."),
    ] = None,
    hours: Annotated[float, typer.Option(help="Until it expires, 24 at most.")] = 24,
    revoke: Annotated[
        str | None, typer.Option(help="Id (jti) of a token that is to be revoked instead.")
    ] = None,
    database: DatabaseOption = None,
) -> None:
    """Make a token, signed with the secret in NEXTCALL_SECRET, or revoke one."""
    from datetime import timedelta

    from nextcall.access.credentials import Credentials
    from nextcall.access.modes import production
    from nextcall.access.tokens import LIFETIME, Tokens, revoke_token
    from nextcall.serve.door.access_settings import AccessSettings, read_settings, revealed

    if (user is None) == (revoke is None):
        raise ValueError("user or --revoke must be given, and not both.")
    if revoke is not None:
        recorded = Recorded("authentication", "token revoked", jti=revoke)
        ends = recorded.now + timedelta(seconds=LIFETIME)
        with opened(database) as kept:
            revoke_token(kept, revoke, expires_at=ends, now=recorded.now, also=recorded)
        note(f"Token {revoke} is revoked.")
        return
    mode = production(secret=revealed(read_settings(AccessSettings).secret))
    with opened(database) as kept:
        credentials = Credentials(kept)
        credentials.refresh()
        known = credentials.role_of(str(user))
        if known is None and role is None:
            raise ValueError(f"role must be given of a user who is not known, got {user!r}.")
        if known is not None and role not in {None, known}:
            raise ValueError(f"role must be left out of a user who is known, got {role!r}.")
        if not 0 < hours <= 24:
            raise ValueError(f"hours must be above 0 and at most 24, got {hours}.")
        issuing = Tokens(mode.token_secrets, credentials=credentials)
        text, issued = issuing.issue(
            str(user), role=str(known or role), lifetime=max(1, int(hours * 3600))
        )
        recorded = Recorded("authentication", "token issued", of_user=user, jti=issued.jti)
        with kept.writing() as connection:
            recorded(connection)
    typer.echo(text)
    note(f"Token {issued.jti} of {user} ({issued.principal.role}) works for {hours:g} hours.")
