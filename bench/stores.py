"""The databases that are measured on: an empty one, and a large one that is made once and kept in bench/stores/.

A run works on copies. A kept store is made anew when the tables have another shape.
"""

from __future__ import annotations

import gc
import hashlib
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine, event, inspect
from sqlmodel import SQLModel

from bench.measuring import say
from bench.population import city, tickets
from hotline import migrations

FOLDER = Path(__file__).parent / "stores"
BATCH = 2000
POPULATION = 3  # raise it when bench/population.py changes what it makes


@contextmanager
def copied(scale: int) -> Iterator[str]:
    """Give the URL of a store with `scale` tickets and citizens, 0 for an empty one; it is gone afterwards."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=FOLDER) as name:
        file = Path(name) / "hotline.db"
        shutil.copyfile(_kept(scale), file)
        yield f"sqlite:///{file}"


def _kept(scale: int) -> Path:
    """Return the store with `scale` tickets; make it when there is none of this shape."""
    empty = FOLDER / "shape.db"
    empty.unlink(missing_ok=True)
    migrations.upgrade(f"sqlite:///{empty}")
    file = FOLDER / f"{scale}-{_shape(empty)}.db"
    if not file.exists():
        say(f"making a store with {scale} tickets, once")
        began_at = time.monotonic()
        _fill(empty, scale)
        empty.rename(file)
        say(f"made {file.name} in {time.monotonic() - began_at:.0f} s, {file.stat().st_size / 1e6:.0f} MB")
    return file


def _shape(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        tables = connection.execute("select sql from sqlite_master where sql is not null order by name").fetchall()
    return hashlib.sha256(f"{POPULATION}{tables}".encode()).hexdigest()[:12]


def _fill(file: Path, scale: int) -> None:
    engine = create_engine(f"sqlite:///{file}")

    @event.listens_for(engine, "connect")
    def _no_safety(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in ("journal_mode=off", "synchronous=off", "cache_size=-400000"):
            connection.execute(f"pragma {pragma}")

    gc.disable()  # millions of small values that all stay for a while: looking for garbage takes a third of the time
    with engine.begin() as connection:
        city(connection)
        _insert_all(connection, scale)
    gc.enable()
    with engine.connect() as connection:
        connection.exec_driver_sql("pragma journal_mode=wal")
    engine.dispose()


def _insert_all(connection: Connection, scale: int) -> None:
    for first in range(0, scale, BATCH):
        rows: dict[type[SQLModel], list[dict[str, object]]] = {}
        for model, values in tickets(range(first, min(first + BATCH, scale)), connection):
            rows.setdefault(model, []).append(values)
        for model, values_of_all in rows.items():
            connection.execute(inspect(model).local_table.insert(), values_of_all)
    connection.exec_driver_sql("update serial set value = ? where name = 'ticket'", (scale,))
