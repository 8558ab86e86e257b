"""Run by Alembic: connects the steps to the database that was asked for."""

from alembic import context
from sqlalchemy import Connection

from hotline.tables import METADATA


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with context.config.attributes["engine"].begin() as opened:
        run(opened)
