"""Tables of routing: the rules, as data."""

from __future__ import annotations

from typing import Any

from sqlmodel import Field, SQLModel

from foundation.tables import JSON_COLUMN


class RoutingRule(SQLModel, table=True):
    """When all filled columns match, the ticket goes to `department_code`. Lower positions are tried first.

    words            any of them in the text, lower case
    areas            any of them in the location or the text, lower case
    co_handler_codes departments that help (协办)
    """

    __tablename__ = "routing_rule"

    code: str = Field(primary_key=True, max_length=60)
    position: int
    kind: str | None = Field(default=None, max_length=40)
    category_code: str | None = Field(default=None, max_length=40)
    words: list[Any] = Field(default_factory=list, sa_type=JSON_COLUMN)
    areas: list[Any] = Field(default_factory=list, sa_type=JSON_COLUMN)
    department_code: str = Field(max_length=40)
    co_handler_codes: list[Any] = Field(default_factory=list, sa_type=JSON_COLUMN)
