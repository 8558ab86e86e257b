"""Departments, categories, rules, promises and holidays from CSV files: all of a city's knowledge is data."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import inspect
from sqlmodel import SQLModel, col, select

from foundation import audit, reference
from foundation.database import Session
from foundation.models import CalendarDay, CalendarRow
from identity.models import Department
from routing.models import RoutingRule
from tickets.lifecycle import TicketKind, Urgency
from tickets.models import Category, PromiseRule
from tickets.promises import PromiseUnit

YES = frozenset({"yes", "y", "true", "1", "是"})
NO = frozenset({"", "no", "n", "false", "0", "否"})


MAX_NUMBER = 1_000_000
MAX_AMOUNT = 10_000  # of hours or days; a promise beyond that is a slip of the pen


class ImportProblemError(Exception):
    """The file cannot be imported; the text names the line and what to write instead."""


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of file: its columns, and what stores a row."""

    name: str
    columns: tuple[str, ...]
    store: Callable[[Session, dict[str, str]], None]


def import_file(session: Session, path: Path, *, actor: str) -> str:
    """Store every row of a file and return a sentence on what was done. Raises ImportProblemError; then nothing is stored."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ImportProblemError(f"{path} is not UTF-8; save it as 'CSV UTF-8'") from None
    rows = csv.DictReader(io.StringIO(text), strict=True)
    table = _table(path, rows.fieldnames or [])
    count = 0
    try:
        for row in rows:
            _store(session, table, path, rows.line_num, row)
            count += 1
    except csv.Error as error:
        raise ImportProblemError(f"{path}, line {rows.reader.line_num}: {error}") from None
    if table.name == "departments":
        _require_one_fallback(session, path)
    reference.changed(session)
    audit.record(session, actor=actor, action="data.imported", subject=table.name, rows=count)
    return f"{count} {table.name} imported"


def _table(path: Path, header: Any) -> Table:
    found = {name.strip() for name in header if name}
    for table in TABLES:
        if found == set(table.columns):
            return table
    known = "; ".join(f"{table.name}: {','.join(table.columns)}" for table in TABLES)
    raise ImportProblemError(f"{path}: the header line {','.join(sorted(found))} is none that is known. Known are {known}")


def _store(session: Session, table: Table, path: Path, line: int, row: dict[str, Any]) -> None:
    if None in row or None in row.values():
        raise ImportProblemError(f"{path}, line {line}: {len(table.columns)} columns are needed; quote a text that holds a comma")
    try:
        table.store(session, {name.strip(): value.strip() for name, value in row.items()})
    except ValueError as error:
        raise ImportProblemError(f"{path}, line {line}: {error}") from None


def _department(session: Session, row: dict[str, str]) -> None:
    department = session.exec(select(Department).where(col(Department.code) == row["code"])).first()
    values = {
        "code": _required(row, "code"),
        "name": _required(row, "name"),
        "name_zh": row["name_zh"],
        "parent_code": row["parent"] or None,
        "duties": _words(row["duties"]),
        "areas": _words(row["areas"]),
        "calendar_code": _calendar(session, row["calendar"]),
        "email": row["email"],
        "is_fallback": _yes(row, "fallback"),
    }
    if values["is_fallback"]:
        for other in session.exec(select(Department).where(col(Department.is_fallback), col(Department.code) != row["code"])):
            other.is_fallback = False
    _put(session, Department, department, values)


def _category(session: Session, row: dict[str, str]) -> None:
    values = {
        "code": _required(row, "code"),
        "parent_code": row["parent"] or None,
        "name": _required(row, "name"),
        "name_zh": row["name_zh"],
        "words": _words(row["words"]),
        "kind": _one_of(row, "kind", TicketKind),
        "urgency": _one_of(row, "urgency", Urgency),
    }
    _put(session, Category, session.get(Category, row["code"]), values)


def _rule(session: Session, row: dict[str, str]) -> None:
    values = {
        "code": _required(row, "code"),
        "position": _number(row, "position"),
        "kind": _one_of(row, "kind", TicketKind),
        "category_code": _known_category(session, row["category"]),
        "words": _words(row["words"]),
        "areas": _words(row["areas"]),
        "department_code": _known_department(session, _required(row, "department")),
        "co_handler_codes": [_known_department(session, code) for code in row["co_handlers"].split(";") if code.strip()],
    }
    _put(session, RoutingRule, session.get(RoutingRule, row["code"]), values)


def _promise(session: Session, row: dict[str, str]) -> None:
    amount, unit = _number(row, "amount"), _one_of(row, "unit", PromiseUnit)
    values = {
        "code": _required(row, "code"),
        "kind": _one_of(row, "kind", TicketKind),
        "category_code": _known_category(session, row["category"]),
        "urgency": _one_of(row, "urgency", Urgency),
        "amount": amount,
        "unit": unit,
    }
    if unit is None or not 1 <= amount <= MAX_AMOUNT:
        raise ValueError(f"amount must be 1 to {MAX_AMOUNT}, and unit hours, working_hours or working_days")
    _put(session, PromiseRule, session.get(PromiseRule, row["code"]), values)


def _holiday(session: Session, row: dict[str, str]) -> None:
    on = _date(row, "date").isoformat()
    code = _calendar(session, row["calendar"])
    values = {"calendar_code": code, "on": on, "is_workday": _yes(row, "workday"), "name": row["name"]}
    _put(session, CalendarDay, session.get(CalendarDay, (code, on)), values)


TABLES = (
    Table("departments", ("code", "name", "name_zh", "parent", "duties", "areas", "calendar", "email", "fallback"), _department),
    Table("categories", ("code", "parent", "name", "name_zh", "words", "kind", "urgency"), _category),
    Table("rules", ("code", "position", "kind", "category", "words", "areas", "department", "co_handlers"), _rule),
    Table("promises", ("code", "kind", "category", "urgency", "amount", "unit"), _promise),
    Table("holidays", ("calendar", "date", "workday", "name"), _holiday),
)


def _put(session: Session, model: type[SQLModel], standing: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        longest = getattr(inspect(model).columns[name].type, "length", None)
        if isinstance(value, str) and longest and len(value) > longest:
            raise ValueError(f"{value[:20]}… is longer than {longest} characters; shorten it")
    row = standing or model()
    for name, value in values.items():
        setattr(row, name, value)
    session.add(row)
    session.flush()  # a code may stand in the file once more


def _required(row: dict[str, str], name: str) -> str:
    if not row[name]:
        raise ValueError(f"the column {name} is empty")
    return row[name]


def _words(text: str) -> list[str]:
    return [word.strip().casefold() for word in text.replace("；", ";").split(";") if word.strip()]


def _yes(row: dict[str, str], name: str) -> bool:
    value = row[name].casefold()
    if value not in YES | NO:
        raise ValueError(f"the column {name} holds {row[name]!r}; write yes or no")
    return value in YES


def _number(row: dict[str, str], name: str) -> int:
    try:
        number = int(row[name])
    except ValueError:
        number = MAX_NUMBER + 1
    if abs(number) > MAX_NUMBER:
        raise ValueError(f"the column {name} holds {row[name]!r}; write a whole number up to {MAX_NUMBER}") from None
    return number


def _date(row: dict[str, str], name: str) -> date:
    try:
        return date.fromisoformat(_required(row, name))
    except ValueError:
        raise ValueError(f"the column {name} holds {row[name]!r}; write a date such as 2026-05-01") from None


def _one_of(row: dict[str, str], name: str, words: Any) -> str | None:
    value = row[name]
    if value and value not in set(words):
        raise ValueError(f"the column {name} holds {value!r}; write one of {', '.join(words)}, or leave it empty")
    return value or None


def _calendar(session: Session, code: str) -> str:
    known = list(session.exec(select(CalendarRow.code)))
    if code and code not in known:
        raise ValueError(f"there is no calendar {code!r}; known are {', '.join(known)}")
    return code or "default"


def _known_category(session: Session, code: str) -> str | None:
    if code and session.get(Category, code) is None:
        raise ValueError(f"there is no category {code!r}; import the categories first, or leave it empty")
    return code or None


def _known_department(session: Session, code: str) -> str:
    code = code.strip()
    if session.exec(select(Department.id).where(col(Department.code) == code)).first() is None:
        raise ValueError(f"there is no department {code!r}; import the departments first")
    return code


def _require_one_fallback(session: Session, path: Path) -> None:
    if session.exec(select(Department.id).where(col(Department.is_fallback))).first() is None:
        raise ImportProblemError(f"{path}: no department would be left as fallback; write yes in that column of one of them")
