from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Column, Enum, Table, Text, delete, inspect, literal_column, select, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

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
    (mapper.class_ for mapper in SQLModel._sa_registry.mappers if mapper.class_.__tablename__ in METADATA.tables),
    key=lambda model: model.__name__,
)


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
    if isinstance(kind, Text | AutoString):
        return f"市'\"%s:%(x)🎉 {new_id().hex[-8:]}"[-(kind.length or 1000) :]
    if isinstance(kind, UTCDateTime):
        return MONDAY_MORNING + timedelta(microseconds=123456)
    return {
        UUID: new_id(),
        bytes: b"\x00\xff\r\n'",
        bool: True,
        int: 7,
        object: {"a": [1, None, True, "市'🎉"], "b": {}},  # JSON
    }[kind.python_type]


def in_the_database(session: Session, model: type[SQLModel], key: Sequence[Any]) -> tuple[Any, ...]:
    """Return the row as SQLAlchemy reads it and as the driver does."""
    session.flush()
    table = table_of(model)
    of_key = [column == value for column, value in zip(table.primary_key, key, strict=True)]
    question = select(table).where(*of_key)
    by_driver: Any = select(*(literal_column(f'"{column.name}"') for column in table.columns)).select_from(table).where(*of_key)
    connection = session.connection()
    return (dict(connection.execute(question).mappings().one()), tuple(connection.execute(by_driver).one()))


def key_of(row: SQLModel) -> tuple[Any, ...]:
    return tuple(getattr(row, column.name) for column in table_of(type(row)).primary_key)


@contextmanager
def nothing_stays(database: Database) -> Iterator[Session]:
    """Give a transaction that is rolled back, on tables without the rows of a new installation."""
    with database.write() as session:
        for table in ("promise_rule", "reference_version", "serial"):
            session.execute(text(f"delete from {table}"))
        yield session
        session.rollback()


def test_every_table_of_the_product_is_looked_at() -> None:
    assert {str(model.__tablename__) for model in MODELS} == set(METADATA.tables)
    assert len(MODELS) > 20


@pytest.mark.parametrize("filled", [False, True], ids=["only what must be given", "every column"])
def test_storing_a_row_and_adding_it_leave_the_same_in_every_table(database: Database, filled: bool) -> None:
    by_store, by_add = {}, {}
    for model in MODELS:
        with nothing_stays(database) as session:
            values = values_of(session, model, filled=filled)
            row, same = model(**values), model(**values)
            for column in table_of(model).primary_key:
                setattr(same, column.name, getattr(row, column.name))
            store(session, row)
            by_store[model] = in_the_database(session, model, key_of(row))
            session.execute(delete(model))
            session.add(same)
            by_add[model] = in_the_database(session, model, key_of(row))
    assert by_store == by_add


def test_a_stored_row_is_read_back_as_it_was_from_every_table(database: Database) -> None:
    written: dict[type[SQLModel], dict[str, Any]] = {}
    read: dict[type[SQLModel], dict[str, Any]] = {}
    for model in MODELS:
        with nothing_stays(database) as session:
            row = model(**values_of(session, model, filled=True))
            store(session, row)
            found = session.get_one(model, key_of(row))
            assert found is not row
            for values, of in ((written, row), (read, found)):
                values[model] = {name: (type(getattr(of, name)), getattr(of, name)) for name in model.model_fields}
    assert written == read


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
        session.add(AuditEntry(at=session.now, actor="system"))  # type: ignore[call-arg]
    with pytest.raises((*REFUSED, KeyError)), database.write() as session:
        store(session, AuditEntry(at=session.now, actor="system"))  # type: ignore[call-arg]
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
    assert all(
        len(table_of(model).primary_key) >= 1 and "id" not in table_of(model).c for model in plain if model.__name__ != "ReferenceVersion"
    )


# ── words ──


class Word(StrEnum):
    BAD = "no such word"


def test_a_word_that_is_not_in_the_list_is_refused_before_it_goes_out(database: Database) -> None:
    words: list[Any] = ["no such word", "DUE", "", Word.BAD]
    for word in words:
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
