"""An empty, migrated database for every test: the migrations run once per run, each test gets a copy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from sqlalchemy import make_url

from hotline import migrations
from tests.servers import URL_VARIABLES, once, run_folder, server_url

KINDS = ("sqlite", "postgresql")


@contextmanager
def migrated_database(kind: str, folder: Path) -> Iterator[str]:
    """Give the URL of an empty, migrated database; a file in `folder` for "sqlite"."""
    if kind == "sqlite":
        file = folder / "hotline.db"
        shutil.copyfile(once("sqlite.template", _make_sqlite_template), file)
        yield f"sqlite:///{file}"
        return
    with _postgresql_database(template=once("postgresql.template", _make_postgresql_template)) as url:
        yield url


@contextmanager
def empty_database(kind: str, folder: Path) -> Iterator[str]:
    """Give the URL of a database without any table: for the migrations' own tests."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'empty.db'}"
        return
    with _postgresql_database(template="template0") as url:
        yield url


def drop_template() -> None:
    """Remove this run's template from a server that outlives the run."""
    made = run_folder() / "postgresql.template"
    if os.environ.get(URL_VARIABLES["postgresql"]) and made.exists():
        _administer(f'drop database if exists "{made.read_text(encoding="utf-8")}" with (force)')


def _make_sqlite_template() -> str:
    template = run_folder() / "template.db"
    migrations.upgrade(f"sqlite:///{template}")
    # Copied as one file: what is still in the write-ahead log would be missing.
    assert not template.with_name("template.db-wal").exists(), "hotline.migrations.upgrade left the database open"
    return str(template)


def _make_postgresql_template() -> str:
    name = f"hotline_test_template_{uuid4().hex[:12]}"
    _administer(f'create database "{name}" template template0')
    migrations.upgrade(_url_of(name))
    return name


@contextmanager
def _postgresql_database(*, template: str) -> Iterator[str]:
    name = f"hotline_test_{uuid4().hex}"
    # Copying files is twice as fast as copying through the log, for a database this small.
    _administer(f'create database "{name}" template "{template}" strategy file_copy')
    try:
        yield _url_of(name)
    finally:
        _administer(f'drop database "{name}" with (force)')


def _url_of(database: str) -> str:
    return make_url(server_url("postgresql")).set(database=database).render_as_string(hide_password=False)


def _administer(statement: str) -> None:
    url = make_url(server_url("postgresql")).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(statement.encode())
