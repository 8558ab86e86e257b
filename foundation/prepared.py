"""Statements compiled once, for the way that every contact takes.

SQLAlchemy's caching still costs some 100 µs a statement in Python; what is compiled here once and handed to the driver
costs a tenth (docs/decisions/0004-speed.md). The text and the conversions are SQLAlchemy's own; an error is the driver's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Table, bindparam, inspect
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine
from sqlmodel import SQLModel

from foundation.database import Session

Convert = Callable[[Any], Any] | None
MOMENTS = 64


class Prepared:
    """A statement with `bindparam`s, without IN lists; ready for each dialect after its first use."""

    def __init__(self, statement: Any) -> None:
        self._statement = statement
        self._by_dialect: WeakKeyDictionary[Dialect, _Compiled] = WeakKeyDictionary()

    def run(self, session: Session, values: dict[str, Any]) -> int:
        """Execute and return how many rows were written."""
        compiled = self._compiled(session.dialect)
        return int(session.execute_on_driver(compiled.text, compiled.parameters(values)).rowcount)

    def run_many(self, session: Session, values: Sequence[dict[str, Any]]) -> int:
        """Execute once for each of `values` and return how many rows were written altogether."""
        compiled = self._compiled(session.dialect)
        return int(session.execute_many_on_driver(compiled.text, [compiled.parameters(one) for one in values]).rowcount)

    def rows(self, session: Session, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Return the rows of a SELECT or of RETURNING, each value in its Python type."""
        compiled = self._compiled(session.dialect)
        found = session.execute_on_driver(compiled.text, compiled.parameters(values)).fetchall()
        return [
            tuple(
                value if convert is None or value is None else convert(value) for convert, value in zip(compiled.results, row, strict=True)
            )
            for row in found
        ]

    def _compiled(self, dialect: Dialect) -> _Compiled:
        compiled = self._by_dialect.get(dialect)
        if compiled is None:
            compiled = self._by_dialect[dialect] = _Compiled(self._statement, dialect)
        return compiled


class _Compiled:
    """One statement in one dialect: its text, and how values go in and come out."""

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled: SQLCompiler = statement.compile(dialect=dialect)
        self.text = compiled.string
        self._constants = {name: parameter.effective_value for name, parameter in compiled.binds.items() if not parameter.required}
        self._converts: dict[str, Convert] = {name: _convert(parameter.type, dialect) for name, parameter in compiled.binds.items()}
        names = compiled.positiontup  # None where the driver takes names
        self._positions = None if names is None else [(name, self._converts[name]) for name in names]
        returned = statement.selected_columns if statement.is_select else statement.exported_columns
        self.results: list[Convert] = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in returned]

    def parameters(self, values: dict[str, Any]) -> Any:
        given = self._constants | values if self._constants else values
        if self._positions is not None:
            return [given[name] if convert is None else convert(given[name]) for name, convert in self._positions]
        return {name: given[name] if convert is None else convert(given[name]) for name, convert in self._converts.items()}


def _convert(kind: TypeEngine[Any], dialect: Dialect) -> Convert:
    """Return how a value of this type is handed to the driver, None for as it is."""
    convert: Convert = kind.dialect_impl(dialect).bind_processor(dialect)
    if convert is not None and kind.python_type is datetime:
        return lru_cache(MOMENTS)(convert)  # the moment of a transaction goes into every row of it
    return convert


def store(session: Session, *rows: SQLModel) -> None:
    """Insert rows now, in this order, for tables that every contact writes to.

    A stored row is not tracked by the session: a later change to it is not written.
    """
    for row in rows:
        _insert(type(row)).run(session, row.__dict__)


@cache
def _insert(model: type[SQLModel]) -> Prepared:
    table: Table = inspect(model).local_table
    return Prepared(table.insert().values({column.name: bindparam(column.name) for column in table.columns}))
