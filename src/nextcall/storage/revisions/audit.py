"""Make the audit log, to which events are added and from which only those past retention go."""

import sqlalchemy as sa
from alembic import op

revision = "audit"
down_revision = "access"


def upgrade() -> None:
    """Make the tables, and the triggers that keep them."""
    op.create_table(
        "audit_event",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Text, nullable=False, index=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("user", sa.Text, index=True),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    op.create_table(
        "audit_anchor",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("seal", sa.Text, nullable=False),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("seal", sa.Text, nullable=False),
    )
    op.execute("INSERT INTO audit_head (id, number, hash, seal) VALUES (1, 0, '', '')")
    _keep("audit_event", "UPDATE")
    _keep(
        "audit_event", "DELETE", "OLD.number > coalesce((SELECT max(number) FROM audit_anchor), 0)"
    )
    _keep("audit_anchor", "UPDATE")
    _keep("audit_anchor", "DELETE")
    _keep("audit_head", "UPDATE", "NEW.number < OLD.number OR NEW.id <> OLD.id")
    _keep("audit_head", "DELETE")


def _keep(table: str, change: str, when: str = "true") -> None:
    """Refuse a change of the rows of a table, where a condition holds of one."""
    name = f"{table}_keeps_{change.lower()}"
    message = f"{table} is append-only"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {change} ON {table} WHEN {when} "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
        return
    given = "NEW" if change == "UPDATE" else "OLD"
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {when} THEN RAISE EXCEPTION '{message}'; END IF; RETURN {given}; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {name} BEFORE {change} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
    )
    if change == "DELETE":
        op.execute(
            f"CREATE FUNCTION {table}_keeps_all() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{message}'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_keeps_all BEFORE TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_keeps_all()"
        )
