"""The database's shape, step by step; the same steps for SQLite and PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from foundation.database import open_engine, parse_url


class SchemaError(Exception):
    """The database does not have the shape that this version needs; the text says what to run."""


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database to a revision; does nothing when it is there already. Raises SchemaError when it is newer than we are."""
    engine = open_engine(parse_url(url))
    try:
        _refuse_newer(engine, revision_of(engine))
        with engine.begin() as connection:
            config = config_for(engine)
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    finally:
        engine.dispose()


def config_for(engine: Engine) -> Config:
    """Return Alembic's configuration; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["engine"] = engine
    return config


def revision_of(engine: Engine) -> str | None:
    """Return the revision that the database has, None when it was never migrated."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """Return the one newest revision of this version."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return str(ScriptDirectory.from_config(config).get_current_head())


def require_head(engine: Engine) -> None:
    """Return when the database has this version's shape, else raise SchemaError with the remedy."""
    found, wanted = revision_of(engine), head()
    if found == wanted:
        return
    _refuse_newer(engine, found)
    raise SchemaError("the database is not prepared for this version; run: hotline db upgrade")


def _refuse_newer(engine: Engine, found: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config_for(engine)).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaError(f"the database is newer ({found}) than this version ({head()}); start the newer version, or restore a backup")
