"""The changes of the schema, one a file, in the order of their ``down_revision``.

A revision names the tables that it makes or changes and imports no room: it must say the same
when the room has moved on. A new one starts so, and a test of its room compares the outcome with
the room's own tables (`nextcall.storage.migrations.differences`)::

    import sqlalchemy as sa
    from alembic import op

    revision = "trials"
    down_revision = None

    def upgrade() -> None:
        op.create_table("trial", sa.Column("id", sa.String(64), primary_key=True))
"""
