"""The ground that every test stands on: servers, databases, a clock that stands, and no way out of this machine.

A test that asks for `database` runs twice, on SQLite and on PostgreSQL. One that means only one of them says so:
`@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)`.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sqlalchemy import make_url

from foundation.clock import SetClock
from foundation.database import Database
from foundation.settings import DatabaseSettings, SecuritySettings, Settings
from tests.databases import KINDS, drop_template, migrated_database
from tests.servers import URL_VARIABLES, Run, server_url

MONDAY_MORNING = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # 09:00 in Shanghai, an ordinary working day

# The same few examples every time, so that a red run is red again; HYPOTHESIS_PROFILE=load looks for new ones.
hypothesis.settings.register_profile("ci", max_examples=25, deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile("load", max_examples=2000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

_run = pytest.StashKey[Run]()


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the process that began the run; the workers of xdist share its servers
        config.stash[_run] = Run()
    _refuse_outside_connections()


def pytest_unconfigure(config: pytest.Config) -> None:
    run = config.stash.get(_run, None)
    if run is not None:
        drop_template()
        run.end()


@pytest.fixture(scope="session")
def postgresql_url() -> str:
    """The address of the PostgreSQL server, for tests that make databases themselves."""
    return server_url("postgresql")


@pytest.fixture(scope="session")
def redis_url() -> str:
    """The address of the Redis server. All tests of the run share it: name keys and queues after the test."""
    return server_url("redis")


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty, migrated database."""
    with migrated_database(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def clock() -> SetClock:
    """A clock that stands at nine on a Monday morning in Shanghai."""
    return SetClock(MONDAY_MORNING)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """The defaults, with this test's database and a secret of its own."""
    key = tmp_path / "secrets" / "secret_key"
    key.parent.mkdir()
    key.write_text("a key that only this test knows", encoding="utf-8")
    return Settings(database=DatabaseSettings(url=database_url), security=SecuritySettings(secret_key_file=str(key)))


@pytest.fixture
def database(settings: Settings, clock: SetClock) -> Iterator[Database]:
    """The database of `settings`, opened as the product opens it."""
    database = Database(settings, clock)
    yield database
    database.close()


# ── no way out ──


class OutsideConnectionError(RuntimeError):
    """A test tried to leave this machine; let it talk to a peer on 127.0.0.1."""


def _refuse_outside_connections() -> None:
    """Refuse every connection to another machine, except to the servers that the environment names.

    An audit hook sees what Python's sockets do, in every library; a hook stays until the process ends.
    """
    servers = {make_url(url).host for url in map(os.environ.get, URL_VARIABLES.values()) if url}
    allowed = servers | {str(found[4][0]) for host in servers if host for found in socket.getaddrinfo(host, None)}

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event in {"socket.connect", "socket.sendto"}:
            address = arguments[1]
            if isinstance(address, tuple) and address[0] not in allowed and not _is_here(address[0]):
                raise OutsideConnectionError(f"to {address}")
        elif event == "socket.getaddrinfo":
            host = arguments[0].decode() if isinstance(arguments[0], bytes) else arguments[0]
            if host and host not in allowed and not _is_number(host) and host not in {"localhost", socket.gethostname()}:
                raise OutsideConnectionError(f"to find {host}")

    sys.addaudithook(refuse)


def _is_here(host: str) -> bool:
    return host == "localhost" or (_is_number(host) and ip_address(host).is_loopback)


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
