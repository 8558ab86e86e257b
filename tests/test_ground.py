"""The ground itself holds: a fresh database each, servers that answer, no way out of this machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis
from sqlalchemy import inspect, text

from foundation.database import Database
from foundation.models import AuditEntry
from tests.conftest import MONDAY_MORNING, OutsideConnectionError
from tests.servers import CHECKOUT, URL_VARIABLES, wait_for_keepers


def test_the_database_of_a_test_has_every_table_of_the_migrations(database: Database) -> None:
    assert {"ticket", "citizen", "raw_contact", "due_work", "alembic_version"} <= set(inspect(database.engine).get_table_names())


@pytest.mark.parametrize("attempt", [1, 2])
def test_no_test_sees_the_rows_of_another(database: Database, attempt: int) -> None:
    with database.write() as session:
        session.add(AuditEntry(at=session.now, actor="system", action=f"attempt {attempt}"))
    with database.read() as session:
        assert session.execute(text("select count(*) from audit_entry")).scalar_one() == 1


def test_the_clock_of_a_test_is_the_clock_of_its_transactions(database: Database) -> None:
    with database.read() as session:
        assert session.now == MONDAY_MORNING


def test_redis_answers(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as connection:
        assert connection.ping()


@pytest.mark.parametrize("host", ["192.0.2.1", "10.0.0.1"])
def test_a_connection_to_another_machine_is_refused(host: str) -> None:
    with socket.socket() as outside, pytest.raises(OutsideConnectionError):
        outside.connect((host, 443))


def test_a_name_elsewhere_is_not_even_looked_up() -> None:
    with pytest.raises(OutsideConnectionError):
        socket.getaddrinfo("hotline.city.example", 25)


def test_a_peer_on_this_machine_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), timeout=5) as client:
        assert client.getpeername() == server.getsockname()


KILLED_RUN = """
import os, signal
from tests.servers import Run, server_url
print(Run().folder, server_url("postgresql"), server_url("redis"), sep="\\n", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_servers_end_with_a_run_that_was_killed() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in URL_VARIABLES.values()}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_RUN], cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    folder, postgresql_url, redis_url = killed.stdout.splitlines()
    wait_for_keepers(Path(folder))
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(postgresql_url.replace("+psycopg", ""))
    with redis.Redis.from_url(redis_url) as connection, pytest.raises(redis.ConnectionError):
        connection.ping()
    shutil.rmtree(folder, ignore_errors=True)  # the servers remove theirs as they end
