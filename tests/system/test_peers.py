"""Peers that only system packages bring: a mail client of another make, and a real browser.

Run by hand: `apt-get install swaks chromium`, then `make test-system`. A peer that is missing fails with that sentence.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.clock import SystemClock
from foundation.database import Database
from foundation.settings import load_settings
from identity.access import SYSTEM
from tests.live import MAILBOX, Installation, install, serving, wait_until
from tickets.queries import TicketLine, list_tickets

pytestmark = [pytest.mark.system, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

BROWSER_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-quic"),
)


@pytest.fixture
def running(database_url: str, tmp_path: Path) -> Iterator[Installation]:
    installation = install(tmp_path / "city", database_url)
    with serving(installation):
        yield installation


def peer(name: str) -> str:
    """Return the path of a program of the system."""
    found = shutil.which(name)
    assert found, f"{name} is not installed: apt-get install {name}"
    return found


def tickets_of(installation: Installation) -> list[TicketLine]:
    database = Database(load_settings(installation.settings_file), SystemClock())
    try:
        with database.read() as session:
            return list_tickets(session, SYSTEM)
    finally:
        database.close()


def test_a_letter_that_swaks_brings_is_acknowledged_and_becomes_a_routed_ticket(running: Installation) -> None:
    brought = subprocess.run(
        [
            *(peer("swaks"), "--server", f"127.0.0.1:{running.smtp_port}", "--from", "wang@home.example", "--to", MAILBOX),
            *("--header", "Subject: 路灯不亮", "--body", "幸福路12号路灯不亮，请修理。"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert brought.returncode == 0, brought.stdout
    assert "250 2.0.0" in brought.stdout
    wait_until(lambda: [line.promised_at is not None for line in tickets_of(running)] == [True], "the ticket has its promise")
    assert tickets_of(running)[0].subject == "路灯不亮"


def test_swaks_is_told_that_a_stranger_has_no_mailbox_here(running: Installation) -> None:
    refused = subprocess.run(
        [peer("swaks"), "--server", f"127.0.0.1:{running.smtp_port}", "--from", "wang@home.example", "--to", "nobody@city.example"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode != 0
    assert "550 5.1.1" in refused.stdout


@pytest.mark.parametrize(
    ("path", "words"), [("/report", "What happened?"), ("/track", "Follow your report"), ("/", "Sign in to the hotline")]
)
def test_a_real_browser_shows_the_page_and_refuses_nothing_of_it(running: Installation, tmp_path: Path, path: str, words: str) -> None:
    shown = subprocess.run(
        [
            *(peer("chromium"), *BROWSER_OPTIONS, "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'browser'}", "--dump-dom"),
            f"http://127.0.0.1:{running.http_port}{path}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert words in shown.stdout
    assert "Content Security Policy" not in shown.stderr
