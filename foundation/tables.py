"""How every table is made: our ids, aware UTC datetimes, enums as checked words, JSON on both databases."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import cache
from typing import Any, Self
from uuid import UUID

from sqlalchemy import JSON, Enum, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import configure_mappers
from sqlmodel import Field, SQLModel

from foundation.ids import new_id

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

JSON_COLUMN = JSON().with_variant(JSONB(), "postgresql")
TEXT_COLUMN = Text()
BYTES_COLUMN = LargeBinary()


def enum_column(words: type[StrEnum]) -> Enum:
    """Return a column that stores the words of `words` and refuses any other, on both databases."""
    return Enum(
        words,
        native_enum=False,
        validate_strings=True,
        create_constraint=True,
        length=40,
        name=words.__name__.lower(),
        values_callable=lambda members: [member.value for member in members],
    )


class Row(SQLModel):
    """A row with an id of ours."""

    id: UUID = Field(default_factory=new_id, primary_key=True)

    @classmethod
    def plain(cls, **values: Any) -> Self:
        """Return a row to be stored and read, never changed: SQLAlchemy does not watch it, which costs a tenth."""
        constants, factories = _defaults(cls)
        row = object.__new__(cls)
        made = {name: factory() for name, factory in factories.items() if name not in values}
        row.__dict__.update(constants | made | values)
        return row

    def __init__(self, **values: Any) -> None:
        # SQLModel validates no table, yet walks every field of a new row through pydantic and the change tracking, five times the
        # cost of this (docs/decisions/0004-speed.md). A new row has no changes to track: all of it is new.
        constants, factories = _defaults(type(self))
        if unknown := values.keys() - type(self).model_fields.keys():
            raise TypeError(f"{type(self).__name__} has no column {', '.join(sorted(unknown))}")
        object.__setattr__(self, "__pydantic_fields_set__", set(values))
        object.__setattr__(self, "__pydantic_extra__", None)
        object.__setattr__(self, "__pydantic_private__", None)
        made = {name: factory() for name, factory in factories.items() if name not in values}
        self.__dict__.update(constants | made | values)


@cache
def _defaults(model: type[SQLModel]) -> tuple[dict[str, Any], dict[str, Callable[[], Any]]]:
    """Return the constant defaults of a table, and the functions that make the others."""
    configure_mappers()  # a plain row that is made before any other would have no attributes to read
    fields = model.model_fields
    constants = {name: field.default for name, field in fields.items() if field.default_factory is None and not field.is_required()}
    factories: dict[str, Any] = {name: field.default_factory for name, field in fields.items() if field.default_factory is not None}
    return constants, factories
