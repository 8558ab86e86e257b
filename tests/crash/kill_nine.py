"""Kill the server with SIGKILL while contacts come in over SMTP and HTTP, twice, and count what stands afterwards.

    python -m tests.crash.kill_nine --database sqlite --contacts 500
    python -m tests.crash.kill_nine --database postgresql --contacts 500

Senders repeat whatever was not acknowledged, under the same Message-ID or MessageSid, as mail servers and Twilio do; a few
give up after their first try. Prints one JSON line; exit status 1 when anything was lost or doubled.
"""

from __future__ import annotations

import argparse
import http.client
import json
import smtplib
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlencode

from tests.crash.counting import open_database, read_store, wait_until_done
from tests.databases import KINDS, migrated_database
from tests.live import ANSWER_SECONDS, MAILBOX, SMS_PATH, Installation, Server, install, letter, signed, sms, wait_until
from tests.servers import Run

KILLS = 2
SENDERS_PER_DOOR = 4
FAINT_HEARTED = 20  # every so many-th contact is tried only once
REPEATED = 10  # every so many-th is sent once more although it was acknowledged
PAUSE_SECONDS = 0.05
LEASE_SECONDS = 6  # on PostgreSQL the work of a killed server waits for its lease to run out

Sender = Callable[[int], None]


class NotAcknowledgedError(Exception):
    """The door said no, or said nothing."""


@dataclass(slots=True)
class Sending:
    """What the senders share."""

    waiting: SimpleQueue[int]
    acknowledged: set[int] = field(default_factory=set)
    tried: Counter[int] = field(default_factory=Counter)
    failed_tries: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def run(database_url: str, folder: Path, *, contacts: int, kills: int = KILLS) -> dict[str, Any]:
    """Send `contacts` contacts while the server is killed `kills` times; return the counts and, under "problems", what went wrong."""
    installation = install(folder, database_url, settings={"work": {"lease_seconds": LEASE_SECONDS, "sweep_seconds": 1}})
    sending = Sending(SimpleQueue())
    for number in range(contacts):
        sending.waiting.put(number)
    server = installation.start()
    try:
        senders = _start_senders(installation, sending)
        for kill in range(1, kills + 1):
            server = _kill_and_restart(server, sending, at=contacts * kill // (kills + 1))
        for sender in senders:
            sender.join()
        _say(f"all senders are done, {sending.failed_tries} tries were not acknowledged; waiting for the work")
        return _count(database_url, installation, sending, contacts, kills)
    finally:
        server.kill()


def _kill_and_restart(server: Server, sending: Sending, *, at: int) -> Server:
    wait_until(lambda: len(sending.acknowledged) >= at, f"{at} contacts are acknowledged", seconds=300)
    server.kill()
    _say(f"killed at {len(sending.acknowledged)} acknowledged contacts")
    return server.installation.start()


def _count(database_url: str, installation: Installation, sending: Sending, contacts: int, kills: int) -> dict[str, Any]:
    with closing(open_database(database_url)) as database:
        wait_until_done(database)
        store = read_store(database)
    acknowledged = {_id_of(number) for number in sending.acknowledged}
    problems = store.problems(acknowledged=acknowledged, sent={_id_of(number) for number in sending.tried})
    if len(store.tickets) != len(store.contacts) or store.citizens != len(store.contacts):
        problems.append(f"{len(store.contacts)} contacts made {len(store.tickets)} tickets and {store.citizens} citizens")
    return {
        "database": database_url.partition(":")[0].partition("+")[0],
        "contacts": contacts,
        "kills": kills,
        "tries": sending.tried.total(),
        "tries_not_acknowledged": sending.failed_tries,
        "acknowledged": len(acknowledged),
        "acknowledged_and_standing_once": sum(len(store.contacts.get(key, [])) == 1 for key in acknowledged),
        "never_acknowledged": contacts - len(acknowledged),
        "never_acknowledged_but_standing": len(store.contacts.keys() - acknowledged),
        "standing_more_than_once": sum(len(rows) > 1 for rows in store.contacts.values()),
        "raw_contacts": store.raw_contacts,
        "tickets": len(store.tickets),
        "citizens": store.citizens,
        "acknowledgements": store.acknowledgements.total(),
        "messages": dict(store.messages),
        "problems": problems,
    }


# ── senders ──


def _start_senders(installation: Installation, sending: Sending) -> list[threading.Thread]:
    """Start mail servers and webhook senders; each takes the next contact that is not under way."""
    doors = [kind(installation) for kind in (SmtpSender, HttpSender) for _ in range(SENDERS_PER_DOOR)]
    threads = [threading.Thread(target=_send_all, args=(door, sending), daemon=True) for door in doors]
    for thread in threads:
        thread.start()
    return threads


def _send_all(door: SmtpSender | HttpSender, sending: Sending) -> None:
    with closing(door):
        while True:
            try:
                number = sending.waiting.get_nowait()
            except Empty:
                return
            _send_until_acknowledged(door, sending, number)


def _send_until_acknowledged(door: SmtpSender | HttpSender, sending: Sending, number: int) -> None:
    while True:
        with sending.lock:
            sending.tried[number] += 1
        try:
            door.send(number)
        except NotAcknowledgedError:
            with sending.lock:
                sending.failed_tries += 1
            if number % FAINT_HEARTED == 0:
                return
            time.sleep(PAUSE_SECONDS)
            continue
        with sending.lock:
            sending.acknowledged.add(number)
        if number % REPEATED or sending.tried[number] > 1:
            return


class SmtpSender:
    """A mail server that brings letters over one connection, and opens another one when it breaks."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._session: smtplib.SMTP | None = None

    def send(self, number: int) -> None:
        """Return when the door said 250, else raise NotAcknowledgedError."""
        try:
            if self._session is None:
                self._session = smtplib.SMTP("127.0.0.1", self._installation.smtp_port, timeout=ANSWER_SECONDS)
            self._session.sendmail(f"citizen-{number}@home.example", [MAILBOX], letter(_id_of(number)))
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise NotAcknowledgedError from error

    def close(self) -> None:
        if self._session is not None:
            with suppress(OSError, smtplib.SMTPException):
                self._session.quit()
            self._session.close()
        self._session = None


class HttpSender:
    """Twilio's webhooks over one connection."""

    def __init__(self, installation: Installation) -> None:
        self._url = installation.public_url + SMS_PATH
        self._connection = http.client.HTTPConnection("127.0.0.1", installation.http_port, timeout=ANSWER_SECONDS)

    def send(self, number: int) -> None:
        """Return when the door said 200, else raise NotAcknowledgedError."""
        form = sms(_id_of(number), sender=f"+8613{number:09d}", text=f"The bus stop has no roof. ({number})")
        try:
            self._connection.request("POST", SMS_PATH, urlencode(form), signed(self._url, form))
            response = self._connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise NotAcknowledgedError from error
        if response.status != 200:
            raise NotAcknowledgedError

    def close(self) -> None:
        self._connection.close()


def _id_of(number: int) -> str:
    """Return the word before the @ of a Message-ID, or the MessageSid: the sender that takes the number decides which."""
    return f"SM{number:032x}"


# ── as a script ──


def main() -> int:
    arguments = argparse.ArgumentParser(description="kill -9 in the middle of the intake")
    arguments.add_argument("--database", choices=KINDS, default="sqlite")
    arguments.add_argument("--contacts", type=int, default=500)
    chosen = arguments.parse_args()
    servers = Run()
    try:
        with tempfile.TemporaryDirectory(prefix="hotline-kill-") as name, migrated_database(chosen.database, Path(name)) as url:
            counts = run(url, Path(name) / "installation", contacts=chosen.contacts)
    finally:
        servers.end()
    print(json.dumps(counts, ensure_ascii=False))  # noqa: T201 the result
    return 1 if counts["problems"] else 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 progress


if __name__ == "__main__":
    sys.exit(main())
