"""What is wrong with an installation, each with its remedy."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col, func, select

from channels.queries import attention_count
from foundation.clock import SystemClock
from foundation.database import Database, Session
from foundation.settings import Settings, SettingsError, load_settings
from hotline.listing import channel_records, failures_lately
from hotline.migrations import SchemaError, require_head
from identity.models import Department, Staff


def findings(settings_path: str | None) -> list[str]:
    """Return one sentence per problem, the gravest first; empty when all is well."""
    try:
        settings = load_settings(settings_path)
        database = Database(settings, SystemClock())
    except SettingsError as error:
        return [str(error)]
    try:
        return list(dict.fromkeys([*_of_database(database), *_of_secrets(settings), *_of_channels(settings)]))
    finally:
        database.close()


def _of_database(database: Database) -> list[str]:
    try:
        require_head(database.engine)
        with database.read() as session:
            return _of_data(session)
    except SchemaError as error:
        return [str(error)]
    except SQLAlchemyError as error:
        return [f"the database does not answer ({type(error).__name__}): start it, or correct [database] url"]


def _of_data(session: Session) -> list[str]:
    found = []
    waiting = attention_count(session)
    if waiting:
        found.append(f"{waiting} contacts, messages or jobs need a person: open /attention, or run: hotline contacts")
    if session.exec(select(func.count()).select_from(Department)).one() < 2:
        found.append("there are no departments beside the fallback, so every ticket goes there: hotline import departments.csv")
    if session.exec(select(func.count()).where(col(Staff.is_active))).one() == 0:
        found.append("nobody can sign in: hotline admin create NAME")
    return found


def _of_secrets(settings: Settings) -> list[str]:
    if not settings.secret_key:
        return [f"[security] secret_key_file: the file {settings.security.secret_key_file} is missing; put a random key there"]
    if len(settings.secret_key) < 32:
        return ["[security] secret_key is shorter than 32 characters; make a longer one"]
    return []


def _of_channels(settings: Settings) -> list[str]:
    try:
        records = channel_records(settings, failures_lately(settings))
    except SettingsError as error:
        return [str(error)]
    return [f"channel {record['name']}: {record['detail']}" for record in records if record["health"] in {"failing", "warning"}]
