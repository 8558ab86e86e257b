"""SIGTERM in the middle of letters: each is kept and acknowledged, or neither; the server ends by itself with status 0."""

from __future__ import annotations

import smtplib
import threading
from contextlib import closing
from pathlib import Path

from tests.crash.counting import open_database, read_store, wait_until_done
from tests.live import ANSWER_SECONDS, MAILBOX, Installation, get, install, letter, serving, wait_until

SENDERS = 6
BEFORE = 30  # letters acknowledged before the server is asked to end


def test_letters_in_flight_at_sigterm_are_acknowledged_and_stored_or_neither(database_url: str, tmp_path: Path) -> None:
    installation = install(tmp_path / "server", database_url)
    acknowledged: list[str] = []
    sent: list[str] = []
    with serving(installation) as server:
        senders = [
            threading.Thread(target=_send_until_refused, args=(installation, n, sent, acknowledged), daemon=True) for n in range(SENDERS)
        ]
        for sender in senders:
            sender.start()
        wait_until(lambda: len(acknowledged) >= BEFORE, "letters come in")
        status = server.stop()
        for sender in senders:
            sender.join(ANSWER_SECONDS)
    assert status == 0
    assert _refuses(installation), "its web door must be shut"
    assert not any(sender.is_alive() for sender in senders), "a sender was left without an answer"
    assert len(acknowledged) < len(sent), "no letter was under way when the server ended"
    with serving(installation), closing(open_database(database_url)) as database:
        wait_until_done(database)
        store = read_store(database)
    assert store.problems(acknowledged=acknowledged, sent=sent) == []


def _send_until_refused(installation: Installation, number: int, sent: list[str], acknowledged: list[str]) -> None:
    """Send letter after letter over one connection until the server says no, or is gone."""
    try:
        with smtplib.SMTP("127.0.0.1", installation.smtp_port, timeout=ANSWER_SECONDS) as session:
            for count in range(10_000):
                word = f"lamp-{number}-{count}"
                sent.append(word)
                session.sendmail(f"{word}@home.example", [MAILBOX], letter(word))
                acknowledged.append(word)
    except (OSError, smtplib.SMTPException):
        return


def _refuses(installation: Installation) -> bool:
    try:
        get(installation.http_port, "/healthz")
    except ConnectionRefusedError:
        return True
    return False
