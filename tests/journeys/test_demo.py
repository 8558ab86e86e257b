"""`hotline demo` as a newcomer starts it: in an empty folder, with nothing but the command."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundation.clock import SystemClock
from tests.live import Installation, get, install, wait_until
from tests.servers import CHECKOUT

PROGRAM = "import sys; from hotline.cli import main; sys.exit(main())"
SECRETS = ("secret_key", "twilio", "telegram", "telegram_secret")
# Columns that say when something happened; the others say when something will.
PAST = {
    "raw_contact": ["received_at"],
    "contact": ["received_at"],
    "contact_link": ["linked_at"],
    "citizen": ["created_at"],
    "identifier": ["first_seen_at", "last_used_at"],
    "ticket": ["opened_at", "last_activity_at", "answered_at", "closed_at"],
    "ticket_event": ["at"],
    "assignment": ["assigned_at", "signed_at", "ended_at"],
    "promise": ["given_at"],
    "outbox_message": ["queued_at", "sent_at"],
    "callback": ["requested_at"],
    "revisit": ["planned_at", "answered_at"],
    "audit_entry": ["at"],
    "staff": ["created_at"],
}


@dataclass(frozen=True)
class Started:
    """A demo that serves, what it has printed so far, and its exit status once it has ended."""

    installation: Installation
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def printed(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def interrupt(self) -> int:
        """Press Ctrl-C; return the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)


@contextmanager
def started(installation: Installation, *, until: str = "Serving. Ctrl-C ends it") -> Iterator[Started]:
    log = installation.folder / "demo.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HOTLINE_")} | {"PYTHONPATH": str(CHECKOUT)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "demo"], cwd=installation.folder, env=environment, stdout=output, stderr=output
        )
    demo = Started(installation, process, log)
    try:
        wait_until(lambda: until in demo.printed or process.poll() is not None, f"the demo says {until!r}", seconds=90)
        assert process.poll() is None, demo.printed
        yield demo
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def empty_folder(folder: Path) -> Installation:
    """Return an installation that has nothing but settings with free ports."""
    made = install(folder, "sqlite:///var/hotline.db")
    for name in SECRETS:
        (made.folder / name).unlink()
    (made.folder / "var").rmdir()
    return made


def test_the_demo_shows_everything_once_through_the_real_doors_and_ends_by_ctrl_c(tmp_path: Path) -> None:
    installation = empty_folder(tmp_path / "demo")
    with started(installation) as first:
        tickets = command(first, "tickets")
        contacts_come_in_by_five_doors_and_each_is_promised_to_a_department(tickets)
        every_contact_stands_on_a_ticket_and_nothing_needs_a_person(first)
        a_redo_a_closing_a_revisit_and_a_callback_are_to_be_seen(first)
        nothing_that_happened_lies_in_the_future(first)
        every_door_is_open_and_well(first)
        what_to_open_next_is_printed_and_answers(first)
        secrets = the_secrets_are_for_the_user_alone(installation)
        assert first.interrupt() == 0
        assert "The hotline has stopped. Your data stay in var/" in first.printed
    with started(installation) as second:
        assert "The database has tickets or departments already, so the demo is not played." in second.printed
        assert command(second, "tickets") == tickets
        assert second.interrupt() == 0
    assert the_secrets_are_for_the_user_alone(installation) == secrets


def test_ctrl_c_in_the_middle_of_the_play_ends_it_with_status_0(tmp_path: Path) -> None:
    installation = install(tmp_path / "demo", "sqlite:///var/hotline.db")
    with started(installation, until="sms") as demo:
        assert demo.interrupt() == 0
        assert "Traceback" not in demo.printed


def command(demo: Started, *arguments: str) -> list[Any]:
    """Run a command beside the demo; return its lines of JSON."""
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT), "HOTLINE_SETTINGS": str(demo.installation.settings_file)}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments, "--json"],
        cwd=demo.installation.folder,
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    return [json.loads(line) for line in ran.stdout.decode().splitlines()]


def ask(demo: Started, question: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{demo.installation.folder}/var/hotline.db?mode=ro", uri=True)) as database:
        return database.execute(question).fetchall()


def contacts_come_in_by_five_doors_and_each_is_promised_to_a_department(tickets: list[Any]) -> None:
    assert len(tickets) >= 7
    assert {ticket["channel"] for ticket in tickets} == {"email", "sms", "phone", "telegram", "web"}
    for ticket in tickets:
        assert ticket["citizen"]["id"]
        assert ticket["lead_department"]
        assert ticket["promised_at"] > ticket["opened_at"]
        assert ticket["state"] == "closed" or ticket["next_followup_at"], "somebody has the next step"
    assert len({ticket["lead_department"] for ticket in tickets}) >= 4


def every_contact_stands_on_a_ticket_and_nothing_needs_a_person(first: Started) -> None:
    assert ask(first, "select count(*) from contact where state <> 'accepted'") == [(0,)]
    assert ask(first, "select count(*) from outbox_message where state <> 'sent'") == [(0,)]
    assert ask(first, "select count(*) from due_work where state = 'dead' or last_error is not null") == [(0,)]


def a_redo_a_closing_a_revisit_and_a_callback_are_to_be_seen(first: Started) -> None:
    (redone,) = ask(first, "select ticket_id from ticket_event where kind = 'redo_ordered'")
    kinds = [kind for (kind,) in ask(first, f"select kind from ticket_event where ticket_id = '{redone[0]}' order by id")]
    assert kinds.count("assigned") == 2
    assert kinds[-1] == "closed"
    assert ask(first, "select count(*) from callback where state in ('planned', 'due')") == [(1,)]
    assert ask(first, "select count(*) from callback where state = 'done'") == [(1,)]
    assert ask(first, "select count(*) from revisit where state in ('planned', 'due')")[0][0] >= 1
    joined = "select count(*) from ticket_event where kind = 'appended'"
    assert ask(first, joined)[0][0] >= 2, "an SMS joined its ticket, and so did a letter that answered ours"


def nothing_that_happened_lies_in_the_future(first: Started) -> None:
    now = SystemClock().now().strftime("%Y-%m-%d %H:%M:%S.%f")
    later = {
        f"{table}.{column}": ask(first, f"select count(*) from {table} where {column} > '{now}'")[0][0]
        for table, columns in PAST.items()
        for column in columns
    }
    assert {column: count for column, count in later.items() if count} == {}
    assert ask(first, "select count(*) from due_work where due_at < datetime('now', '-1 minute')") == [(0,)], "what was due is done"


def every_door_is_open_and_well(first: Started) -> None:
    channels = command(first, "channels")
    assert {channel["name"]: channel["health"] for channel in channels} == dict.fromkeys(
        ("email", "twilio_sms", "twilio_voice", "telegram", "web"), "ok"
    )


def what_to_open_next_is_printed_and_answers(first: Started) -> None:
    said = first.printed
    path = re.search(r"http://127\.0\.0\.1:\d+(/sign-in/\S+)", said)
    follow = re.search(r"with number (\S+) and code (\S+)", said)
    assert path is not None
    assert follow is not None
    for wanted in ("/report", "/track", path[1]):
        assert get(first.installation.http_port, wanted).status in {200, 302, 303}, wanted
    assert ask(first, f"select count(*) from ticket where number = '{follow[1]}' and lookup_code = '{follow[2]}'") == [(1,)]
    assert get(first.installation.http_port, "/readyz").status == 200


def the_secrets_are_for_the_user_alone(installation: Installation) -> list[str]:
    files = [installation.folder / name for name in SECRETS]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    secrets = [file.read_text(encoding="utf-8").strip() for file in files]
    assert all(len(secret) >= 32 for secret in secrets)
    return secrets
