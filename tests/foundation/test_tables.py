from __future__ import annotations

import sqlite3
from datetime import timedelta
from enum import StrEnum
from typing import Any

import psycopg
import pytest
from sqlalchemy import Column, DateTime, Enum, LargeBinary, String, Table, Uuid, delete, inspect, select, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlmodel import SQLModel

from channels.contract import AddressKind, Verification
from foundation.database import Database, Session
from foundation.ids import new_id
from foundation.models import AuditEntry, DueWork, WorkState
from foundation.prepared import store
from foundation.tables import Row
from foundation.work import Lane
from hotline.tables import METADATA
from identity.models import Citizen, Identifier
from tests.conftest import MONDAY_MORNING

REFUSED = (IntegrityError, sqlite3.IntegrityError, psycopg.IntegrityError)
MODELS: list[type[SQLModel]] = sorted(
    (mapper.class_ for mapper in SQLModel._sa_registry.mappers if mapper.class_.__tablename__ in METADATA.tables),  # type: ignore[attr-defined]
    key=lambda model: model.__name__,
)
of_every_table = pytest.mark.parametrize("model", MODELS, ids=lambda model: str(model.__tablename__))


def table_of(model: type[SQLModel]) -> Table:
    table: Table = inspect(model).local_table
    return table


def values_of(session: Session, model: type[SQLModel], *, filled: bool) -> dict[str, Any]:
    """Return values for a row: of the columns that must be given, or of all; what they point at is stored."""
    values = {}
    for column in table_of(model).columns:
        field = model.model_fields[column.name]
        if column.foreign_keys and (filled or not column.nullable):
            values[column.name] = parent_of(session, column)
        elif filled or (field.is_required() and not column.nullable):
            values[column.name] = value_for(column)
    return values


def parent_of(session: Session, column: Column[Any]) -> Any:
    [key] = column.foreign_keys
    [parent] = [model for model in MODELS if table_of(model) is key.column.table]
    row = parent(**values_of(session, parent, filled=False))
    store(session, row)
    return getattr(row, key.column.name)


def value_for(column: Column[Any]) -> Any:
    """Return a value that is hard on its type."""
    kind = column.type
    if isinstance(kind, Enum):
        assert kind.enum_class is not None
        return list(kind.enum_class)[-1]
    if isinstance(kind, Uuid):
        return new_id()
    if isinstance(kind, LargeBinary):
        return b"\x00\xff\r\n'"
    if isinstance(kind, String):
        return f"市'\"%s:%(x)🎉 {new_id().hex[-8:]}"[-(kind.length or 1000) :]
    if isinstance(kind, DateTime) or "DateTime" in type(kind).__name__:
        return MONDAY_MORNING + timedelta(microseconds=123456)
    python_type = kind.python_type
    if python_type is bool:
        return True
    if python_type is int:
        return 7
    return {"a": [1, None, True, "市'🎉"], "b": {}}


def stored(session: Session, table: Table) -> dict[str, Any]:
    """Return the newest row as the database has it, with the size and kind of each value."""
    session.flush()
    return dict(session.connection().execute(select(table)).mappings().all()[-1])


def raw(session: Session, table: Table) -> tuple[Any, ...]:
    """Return the newest row past all types of SQLAlchemy."""
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    return tuple(session.connection().exec_driver_sql(f'select {names} from "{table.name}"').all()[-1])


def test_every_table_of_the_product_is_looked_at() -> None:
    assert {str(model.__tablename__) for model in MODELS} == set(METADATA.tables)


@of_every_table
@pytest.mark.parametrize("filled", [False, True], ids=["least", "all"])
def test_storing_a_row_and_adding_it_leave_the_same_in_the_database(database: Database, model: type[SQLModel], filled: bool) -> None:
    table = table_of(model)
    with database.write() as session:
        for leftover in ("promise_rule", "reference_version", "serial"):  # rows of every new installation
            session.connection().exec_driver_sql(f"delete from {leftover}")
        values = values_of(session, model, filled=filled)
        others = [row for row in session.connection().execute(select(table.primary_key)).all()]
        row = model(**values)
        if filled or "id" not in values:
            values |= {column.name: getattr(row, column.name) for column in table.primary_key}
        store(session, row)
        by_store, raw_by_store = stored(session, table), raw(session, table)
        same_key = [column == by_store[column.name] for column in table.primary_key]
        session.connection().execute(delete(table).where(*same_key))
        session.add(model(**values))
        by_add, raw_by_add = stored(session, table), raw(session, table)
        assert len(session.connection().execute(select(table.primary_key)).all()) == len(others) + 1
        session.rollback()
    assert by_store == by_add
    assert raw_by_store == raw_by_add
    assert {name: by_store[name] for name in values} == values


@of_every_table
def test_a_stored_row_is_read_back_as_it_was(database: Database, model: type[SQLModel]) -> None:
    with database.write() as session:
        values = values_of(session, model, filled=True)
        if model.__tablename__ == "reference_version":
            values["id"] = 8
        row = model(**values)
        store(session, row)
        key = tuple(getattr(row, column.name) for column in table_of(model).primary_key)
        found = session.get_one(model, key)
        assert found is not row
        assert {name: getattr(found, name) for name in model.model_fields} == {name: getattr(row, name) for name in model.model_fields}
        assert {name: type(getattr(found, name)) for name in values} == {name: type(values[name]) for name in values}


# ── rows in memory ──


def citizen(**more: Any) -> Citizen:
    return Citizen(created_at=MONDAY_MORNING, **more)


def test_a_column_that_a_table_has_not_is_refused() -> None:
    with pytest.raises(TypeError, match="Citizen has no column agee, surname"):
        citizen(surname="Li", agee=7)


def test_a_row_has_an_id_of_ours_from_the_start_and_its_defaults() -> None:
    one, other = citizen(), citizen()
    assert one.id != other.id
    assert (one.name, one.language, one.is_provisional, one.note) == ("", "en", False, None)


def test_rows_share_no_default() -> None:
    one, other = (DueWork(kind="a", lane=Lane.INTAKE, due_at=MONDAY_MORNING) for _ in range(2))
    one.payload["seen"] = True
    assert other.payload == {}
    assert DueWork(kind="a", lane=Lane.INTAKE, due_at=MONDAY_MORNING).payload == {}


def test_a_row_that_lacks_what_it_must_have_is_refused(database: Database) -> None:
    with pytest.raises(REFUSED), database.write() as session:
        session.add(AuditEntry(at=session.now, actor="system"))
    with pytest.raises((*REFUSED, KeyError)), database.write() as session:
        store(session, AuditEntry(at=session.now, actor="system"))
    with database.read() as session:
        assert session.connection().execute(select(table_of(AuditEntry))).all() == []


def test_a_change_after_reading_a_row_is_written(database: Database) -> None:
    for put in (lambda session, row: session.add(row), store):
        row = citizen(name="Li")
        with database.write() as session:
            put(session, row)
        with database.write() as session:
            found = session.get_one(Citizen, row.id)
            found.name, found.note = "Li Hua", "has a twin"
        with database.read() as session:
            found = session.get_one(Citizen, row.id)
            assert (found.name, found.note, found.language) == ("Li Hua", "has a twin", "en")


def test_a_change_is_written_before_and_after_an_added_row_reaches_the_database(database: Database) -> None:
    row = citizen(name="Li")
    with database.write() as session:
        session.add(row)
        row.name = "Li Hua"
        session.flush()
        row.note = "has a twin"
    with database.read() as session:
        found = session.get_one(Citizen, row.id)
        assert (found.name, found.note) == ("Li Hua", "has a twin")


def test_a_row_can_be_read_after_its_transaction(database: Database) -> None:
    with database.write() as session:
        row = citizen(name="Li")
        session.add(row)
    assert (row.name, row.created_at) == ("Li", MONDAY_MORNING)
    with database.read() as session:
        found = session.get_one(Citizen, row.id)
    assert found.name == "Li"


def test_a_row_shows_its_values_and_can_be_copied() -> None:
    row = citizen(name="Li")
    assert row.model_dump()["name"] == "Li"
    assert "Li" in repr(row)
    assert row.model_copy(update={"name": "Wang"}).name == "Wang"


def test_every_table_but_plain_reference_data_has_an_id_of_ours() -> None:
    plain = {model for model in MODELS if not issubclass(model, Row)}
    assert all(len(table_of(model).primary_key) >= 1 and "id" not in table_of(model).c for model in plain if model.__name__ != "ReferenceVersion")


# ── words ──


class Word(StrEnum):
    BAD = "no such word"


def test_a_word_that_is_not_in_the_list_is_refused_before_it_goes_out(database: Database) -> None:
    for word in ("no such word", "DUE", "", Word.BAD):
        row = DueWork(kind="a", lane=Lane.INTAKE, due_at=MONDAY_MORNING, state=word)
        with pytest.raises((StatementError, LookupError)), database.write() as session:
            session.add(row)
        with pytest.raises((StatementError, LookupError)), database.write() as session:
            store(session, DueWork(kind="a", lane=Lane.INTAKE, due_at=MONDAY_MORNING, state=word))


def test_the_database_itself_refuses_a_word_that_is_not_in_the_list(database: Database) -> None:
    with database.write() as session:
        owner = citizen()
        store(session, owner)
        identifier = Identifier(
            citizen_id=owner.id,
            kind=AddressKind.PHONE,
            value="+8613800001111",
            channel="sms",
            verified_by=Verification.CLAIMED,
            first_seen_at=session.now,
            last_used_at=session.now,
        )
        store(session, identifier)
    for word in ("fax", "PHONE", ""):
        with pytest.raises(REFUSED), database.write() as session:
            session.execute(text("update identifier set kind = :word"), {"word": word})


def test_a_word_is_stored_as_it_is_written_and_read_as_its_member(database: Database) -> None:
    with database.write() as session:
        session.add(DueWork(kind="a", lane=Lane.INTAKE, due_at=MONDAY_MORNING, state=WorkState.DEAD))
    with database.read() as session:
        assert session.execute(text("select state from due_work")).scalar_one() == "dead"
        assert session.execute(select(table_of(DueWork).c.state)).scalar_one() is WorkState.DEAD
