"""`nextcall users`: who there is, and what role each has."""

from typing import Annotated

import typer

from nextcall.cli.access_options import DatabaseOption, Recorded, opened
from nextcall.cli.console import note, print_table

app = typer.Typer(
    no_args_is_help=True,
    help="Add users, list them, change their roles.",
    rich_markup_mode=None,  # as the whole command line
)


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="A new one.")],
    *,
    role: Annotated[str, typer.Option(help="admin, developer, user, readonly or guest.")] = "user",
    database: DatabaseOption = None,
) -> None:
    """Add a user, who may then have keys and tokens."""
    from nextcall.access.users import add_user

    recorded = Recorded("user", "added", of_user=name, role=role)
    with opened(database) as kept:
        user = add_user(kept, name, role=role, now=recorded.now, also=lambda at, _: recorded(at))
    note(f"{user.name} is {user.role}.")


@app.command("list")
def list_all(*, database: DatabaseOption = None) -> None:
    """List users and their roles."""
    from nextcall.access.users import list_users

    with opened(database) as kept:
        users = list_users(kept)
    rows = [(user.name, user.role, f"{user.created_at:%Y-%m-%d}") for user in users]
    print_table(("name", "role", "added"), rows)


@app.command("role")
def role(
    name: Annotated[str, typer.Argument(help="Whose.")],
    role: Annotated[str, typer.Argument(help="admin, developer, user, readonly or guest.")],
    *,
    database: DatabaseOption = None,
) -> None:
    """Give a user another role; services that run see it within a second."""
    from nextcall.access.users import set_role

    recorded = Recorded("user", "role changed", of_user=name, role=role)
    with opened(database) as kept:
        user = set_role(kept, name, role=role, now=recorded.now, also=lambda at, _: recorded(at))
    note(f"{user.name} is {user.role}.")
