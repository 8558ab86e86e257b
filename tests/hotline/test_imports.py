"""A city's knowledge from CSV files: every mistake is told with its line and what to write instead, and then nothing is stored."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import SQLModel, col, select

from foundation.database import Database
from foundation.models import AuditEntry, CalendarDay
from hotline.demo import DATA, FILES
from hotline.imports import ImportProblemError, import_file
from identity.models import Department
from routing.models import RoutingRule
from tests.cast import import_city
from tickets.models import Category, PromiseRule

HEADERS = {
    "departments": "code,name,name_zh,parent,duties,areas,calendar,email,fallback",
    "categories": "code,parent,name,name_zh,words,kind,urgency",
    "rules": "code,position,kind,category,words,areas,department,co_handlers",
    "promises": "code,kind,category,urgency,amount,unit",
    "holidays": "calendar,date,workday,name",
}
# what a table of each kind is replaced by when it is imported twice: a first and a second version of one row, and what to look at
ROWS: dict[str, tuple[str, str, type[SQLModel]]] = {
    "departments": ("light,Lights,路灯所,,Lamp; LANTERN ；路灯,East,default,l@city.example,no", "light,Lighting,,,,,,,no", Department),
    "categories": ("pipe,,Pipes,水管,Pipe;水管,request,urgent", "pipe,,Burst pipes,,,,", Category),
    "rules": ("r1,10,complaint,lamp,Dark,East,hotline,hotline", "r1,20,,,,,hotline,", RoutingRule),
    "promises": ("p1,complaint,lamp,urgent,2,hours", "p1,,,,3,working_days", PromiseRule),
    "holidays": ("default,2026-05-01,no,May Day", ",2026-05-01,yes,Worked", CalendarDay),
}


@pytest.fixture(autouse=True)
def lamp(database: Database) -> None:
    """A category that rules and promises can name."""
    with database.write() as session:
        session.add(Category(code="lamp", name="Street lamps"))


def write(folder: Path, table: str, *rows: str, encoding: str = "utf-8") -> Path:
    """Write a CSV file of one kind of table."""
    path = folder / f"{table}.csv"
    path.write_text("\n".join([HEADERS[table], *rows]) + "\n", encoding=encoding)
    return path


def bring_in(database: Database, path: Path) -> str:
    with database.write() as session:
        return import_file(session, path, actor="cli:somebody")


def rows_of(database: Database, model: type[SQLModel]) -> list[dict[str, object]]:
    with database.read() as session:
        return [row.model_dump(exclude={"id"}) for row in session.exec(select(model))]


def department(database: Database, code: str) -> Department:
    with database.read() as session:
        return session.exec(select(Department).where(col(Department.code) == code)).one()


@pytest.mark.parametrize("table", sorted(ROWS))
def test_a_file_can_be_imported_again_and_a_known_row_is_replaced(database: Database, tmp_path: Path, table: str) -> None:
    first, second, model = ROWS[table]
    before = len(rows_of(database, model))
    assert bring_in(database, write(tmp_path, table, first)) == f"1 {table} imported"
    once = rows_of(database, model)
    bring_in(database, write(tmp_path, table, first))
    assert rows_of(database, model) == once
    bring_in(database, write(tmp_path, table, second))
    assert (len(once), len(rows_of(database, model))) == (before + 1, before + 1)
    assert rows_of(database, model) != once


def test_words_are_kept_in_lower_case_without_blanks_whatever_semicolon_parts_them(database: Database, tmp_path: Path) -> None:
    bring_in(database, write(tmp_path, "departments", ROWS["departments"][0]))
    light = department(database, "light")
    assert (light.duties, light.areas, light.calendar_code, light.parent_code) == (["lamp", "lantern", "路灯"], ["east"], "default", None)


def test_a_file_from_a_spreadsheet_is_read(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "departments.csv"
    path.write_bytes(f'{HEADERS["departments"]}\r\nlight,"Lights, lamps",,,,,,,\r\n\r\n'.encode("utf-8-sig"))
    assert bring_in(database, path) == "1 departments imported"
    assert department(database, "light").name == "Lights, lamps"


def test_columns_may_stand_in_another_order(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "holidays.csv"
    path.write_text("name, date ,workday,calendar\nMay Day,2026-05-01,no,\n", encoding="utf-8")
    bring_in(database, path)
    assert rows_of(database, CalendarDay) == [{"calendar_code": "default", "on": "2026-05-01", "is_workday": False, "name": "May Day"}]


def test_a_code_that_stands_twice_in_one_file_is_stored_once(database: Database, tmp_path: Path) -> None:
    for table, (first, second, model) in ROWS.items():
        before = len(rows_of(database, model))
        bring_in(database, write(tmp_path, table, first, second))
        assert len(rows_of(database, model)) == before + 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # found out before any database is asked
@pytest.mark.parametrize(
    ("table", "row", "remedy"),
    [
        ("departments", ",Lights,,,,,,,", "the column code is empty"),
        ("departments", "light,,,,,,,,", "the column name is empty"),
        ("departments", "light,Lights,,,,,summer,,", "there is no calendar 'summer'; known are default"),
        ("departments", "light,Lights,,,,,,,perhaps", "the column fallback holds 'perhaps'; write yes or no"),
        ("departments", "light,Lights", "9 columns are needed"),
        ("departments", "light,Lights,,,a,b,,,no,more", "9 columns are needed; quote a text that holds a comma"),
        ("departments", "x" * 41 + ",Lights,,,,,,,", "longer than 40"),
        ("departments", "light," + "x" * 201 + ",,,,,,,", "longer than 200"),
        ("categories", "lamp,,Lamps,,,wish,", "the column kind holds 'wish'; write one of consultation, request,"),
        ("categories", "lamp,,Lamps,,,,soon", "the column urgency holds 'soon'; write one of normal, urgent, emergency, or leave it empty"),
        ("rules", "r1,first,,,,,hotline,", "the column position holds 'first'; write a whole number"),
        ("rules", "r1,1,,,,,nobody,", "there is no department 'nobody'; import the departments first"),
        ("rules", "r1,1,,nothing,,,hotline,", "there is no category 'nothing'; import the categories first"),
        ("promises", "p1,,nothing,,2,hours", "there is no category 'nothing'; import the categories first"),
        ("promises", "p1,,,,99999999999999999999999,hours", "the column amount holds '99999999999999999999999'; write a whole number"),
        ("rules", "r1,1,,,,,hotline,nobody", "there is no department 'nobody'; import the departments first"),
        ("rules", "r1,1,,,,,,", "the column department is empty"),
        ("promises", "p1,,,,0,hours", "amount must be 1 to 10000"),
        ("promises", "p1,,,,2,weeks", "the column unit holds 'weeks'; write one of hours, working_hours, working_days"),
        ("promises", "p1,,,,2,", "unit hours, working_hours or working_days"),
        ("promises", "p1,,,,2.5,hours", "the column amount holds '2.5'; write a whole number"),
        ("holidays", ",1.5.2026,no,", "the column date holds '1.5.2026'; write a date such as 2026-05-01"),
        ("holidays", ",,no,", "the column date"),
    ],
)
def test_a_mistake_names_its_line_and_what_to_write(database: Database, tmp_path: Path, table: str, row: str, remedy: str) -> None:
    good = ROWS[table][0]
    path = write(tmp_path, table, good, row)
    before = rows_of(database, ROWS[table][2])
    with pytest.raises(ImportProblemError) as problem:
        bring_in(database, path)
    assert str(problem.value).startswith(f"{path}, line 3: ")
    assert remedy in str(problem.value)
    assert rows_of(database, ROWS[table][2]) == before, "the good row before it is not stored either"


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (b"", "is none that is known"),
        (b"code,name\nx,y\n", "is none that is known. Known are departments: code,name,name_zh"),
        ("代码\n".encode("gbk"), "is not UTF-8; save it as 'CSV UTF-8'"),
        (b'calendar,date,workday,name\n,2026-05-01,no,"open\n', "line 2: unexpected end of data"),
    ],
)
def test_a_file_that_is_no_table_of_ours_is_refused(database: Database, tmp_path: Path, content: bytes, remedy: str) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    with pytest.raises(ImportProblemError) as problem:
        bring_in(database, path)
    assert remedy in str(problem.value)
    assert str(path) in str(problem.value)


# ── the one fallback ──


def test_a_new_fallback_takes_the_place_of_the_old_one(database: Database, tmp_path: Path) -> None:
    bring_in(database, write(tmp_path, "departments", "desk,Desk,,,,,,,yes"))
    assert [row["code"] for row in rows_of(database, Department) if row["is_fallback"]] == ["desk"]


def test_the_last_fallback_cannot_be_taken_away(database: Database, tmp_path: Path) -> None:
    path = write(tmp_path, "departments", "hotline,Hotline,,,,,,,no")
    with pytest.raises(ImportProblemError, match="no department would be left as fallback; write yes"):
        bring_in(database, path)
    assert department(database, "hotline").is_fallback


def test_two_fallbacks_in_one_file_leave_one(database: Database, tmp_path: Path) -> None:
    bring_in(database, write(tmp_path, "departments", "one,One,,,,,,,yes", "two,Two,,,,,,,yes"))
    assert [row["code"] for row in rows_of(database, Department) if row["is_fallback"]] == ["two"]


# ── what else an import does ──


def test_an_import_stands_in_the_audit_trail_without_its_content(database: Database, tmp_path: Path) -> None:
    bring_in(database, write(tmp_path, "holidays", ",2026-05-01,no,May Day", ",2026-05-02,no,May Day"))
    (entry,) = [one for one in rows_of(database, AuditEntry) if one["action"] == "data.imported"]
    assert (entry["actor"], entry["subject"], entry["detail"]) == ("cli:somebody", "holidays", {"rows": 2})


def test_the_city_of_the_demo_can_be_imported_twice(database: Database) -> None:
    counts = []
    for _ in range(2):
        with database.write() as session:
            import_city(session)
        counts.append([len(rows_of(database, model)) for model in (Department, Category, RoutingRule, PromiseRule)])
    assert counts[0] == counts[1]
    assert all((DATA / name).exists() for name in FILES)
