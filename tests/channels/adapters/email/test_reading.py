"""The process that reads letters: what it reads, and that no letter takes another one along."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from channels.adapters.email import reading
from channels.adapters.email.adapter import EmailAdapter
from channels.adapters.email.parsing import ParseFailure, fingerprint
from channels.adapters.email.reading import LetterToParse, ParserProcess, ParserUnavailableError, letters_of
from channels.adapters.email.settings import EmailSettings
from channels.adapters.email.tokens import reply_address
from channels.contract import (
    Adapter,
    AddressKind,
    Attachment,
    ForgedRequestError,
    Health,
    InboundContact,
    RawRequest,
    UnreadableContactError,
)
from foundation.settings import SecuritySettings, Settings, SettingsError
from tests.channels.adapters.email import letters
from tests.channels.adapters.email.letters import LI, MAILBOX

KEY = "a key"
SETTINGS = Settings(security=SecuritySettings(secret_key=KEY))

# Stands in for the real child: reads like it, but a letter with HANG or CRASH in it stops it.
STAND_IN = """
import os, signal
from channels.adapters.email import child, parsing
def read_letter(body, mailbox, mail_from):
    while b"HANG" in body: signal.pause()
    if b"CRASH" in body: os._exit(7)
    return parsing.read_letter(body, mailbox, mail_from)
child.read_letter = read_letter
child.main()
"""


@pytest.fixture
def parser() -> Iterator[ParserProcess]:
    process = ParserProcess(EmailSettings(), key=KEY)
    yield process
    process.close()


@pytest.fixture
def fragile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ParserProcess]:
    """A parser whose child can be stopped by a letter; one second for each letter."""
    (tmp_path / "fragile_child.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(reading, "_MODULE", "fragile_child")
    process = ParserProcess(EmailSettings(parser_seconds=1), key=KEY)
    yield process
    process.close()


def to_read(body: bytes, recipient: str = MAILBOX) -> LetterToParse:
    return LetterToParse(body, recipient, LI)


def texts(read: list[InboundContact | ParseFailure]) -> list[str]:
    return [one.text if isinstance(one, InboundContact) else "unreadable" for one in read]


def test_a_letter_becomes_a_contact(parser: ParserProcess) -> None:
    recipient = reply_address(MAILBOX, "2026-000123", KEY)
    (contact,) = parser.parse([to_read(letters.ATTACHMENT, recipient)])
    assert isinstance(contact, InboundContact)
    assert (contact.sender.kind, contact.sender.value, contact.name) == (AddressKind.EMAIL, LI, "Li Wei")
    assert (contact.mailbox, contact.ticket_token) == (MAILBOX, "2026-000123")
    assert contact.external_id == fingerprint(letters.ATTACHMENT, MAILBOX)
    assert contact.occurred_at == datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
    assert contact.attachments[0] == Attachment("照片.jpg", "image/jpeg", 1000)
    assert contact.details["message_id"] == "<1@example.org>"


def test_a_cut_text_ends_with_a_note(parser: ParserProcess) -> None:
    (contact,) = parser.parse([to_read(letters.letter(body=b"x" * 300_000))])
    assert isinstance(contact, InboundContact)
    assert contact.text.endswith("[The letter is longer. The whole of it is kept as it came.]")


def test_many_letters_large_and_small_come_back_in_their_order(parser: ParserProcess) -> None:
    bodies = [letters.letter(body=b"%d " % number + b"word " * (40_000 if number % 7 == 0 else 1)) for number in range(60)]
    read = parser.parse([to_read(body) for body in bodies])
    assert [text.split()[0] for text in texts(read)] == [str(number) for number in range(60)]


def test_one_child_reads_all_and_stays_small(parser: ParserProcess) -> None:
    parser.parse([to_read(letters.PLAIN)])
    pid = parser.pid
    parser.parse([to_read(letters.PLAIN)] * 100)
    assert pid is not None
    assert parser.pid == pid
    assert psutil.Process(pid).memory_info().rss < 25 << 20


def test_an_unreadable_letter_is_a_failure_and_the_others_are_read(parser: ParserProcess) -> None:
    read = parser.parse([to_read(letters.PLAIN), to_read(letters.nested(40)), to_read(letters.PLAIN)])
    assert texts(read) == ["The street lamp is broken.", "unreadable", "The street lamp is broken."]
    pid = parser.pid
    parser.parse([to_read(letters.PLAIN)])
    assert parser.pid == pid


@pytest.mark.parametrize(("word", "reason"), [(b"HANG", "longer than 1 seconds"), (b"CRASH", "status 7")])
def test_a_letter_that_stops_the_child_fails_alone(fragile: ParserProcess, word: bytes, reason: str) -> None:
    bad = letters.letter(body=word)
    read = fragile.parse([to_read(letters.PLAIN), to_read(bad), to_read(letters.PLAIN)])
    assert texts(read) == ["The street lamp is broken.", "unreadable", "The street lamp is broken."]
    assert isinstance(read[1], ParseFailure)
    assert reason in read[1].reason
    assert read[1].external_id == fingerprint(bad, MAILBOX)


def test_a_child_that_was_killed_is_replaced(parser: ParserProcess) -> None:
    parser.parse([to_read(letters.PLAIN)])
    first = parser.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    psutil.Process(first).wait(5)
    assert texts(parser.parse([to_read(letters.PLAIN)])) == ["The street lamp is broken."]
    assert parser.pid != first


def test_a_letter_that_eats_memory_is_stopped_by_the_limit() -> None:
    process = ParserProcess(EmailSettings(parser_memory_mb=128), key=KEY)
    try:
        read = process.parse([to_read(letters.many_parts(1_500_000)), to_read(letters.PLAIN)])
    finally:
        process.close()
    assert texts(read) == ["unreadable", "The street lamp is broken."]


def test_the_child_ends_when_its_parent_is_killed() -> None:
    program = (
        "import os, signal\n"
        "from channels.adapters.email.reading import LetterToParse, ParserProcess\n"
        "from channels.adapters.email.settings import EmailSettings\n"
        "process = ParserProcess(EmailSettings(), key='k')\n"
        "process.parse([LetterToParse(b'From: a@b.example', 'hotline@city.example', '')])\n"
        "print(process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    output = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, timeout=30, check=False).stdout
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(output)).wait(5)
    assert not psutil.pid_exists(int(output))


def test_several_threads_may_read_at_once(parser: ParserProcess) -> None:
    bodies = [letters.letter(body=b"letter %d" % number) for number in range(40)]
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda body: texts(parser.parse([to_read(body)]))[0], bodies))
    assert read == [f"letter {number}" for number in range(40)]


def test_a_child_that_cannot_start_judges_no_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_MODULE", "no.such.module")
    with pytest.raises(ParserUnavailableError, match="did not start"):
        ParserProcess(EmailSettings(), key=KEY).parse([to_read(letters.PLAIN)])


def test_a_letter_to_two_of_our_mailboxes_is_two_letters_and_a_token_wins() -> None:
    split = letters_of(b"", LI, ["hotline@city.example", "Hotline+abc@city.example", "mayor@city.example", "hotline@city.example"])
    assert [letter.recipient for letter in split] == ["Hotline+abc@city.example", "mayor@city.example"]
    assert [letter.mailbox for letter in split] == ["hotline@city.example", "mayor@city.example"]


# ── the adapter ──


@pytest.fixture
def adapter() -> Iterator[EmailAdapter]:
    door = EmailAdapter(EmailSettings(), SETTINGS)
    yield door
    door.parser.close()


def kept(body: bytes, **headers: str) -> RawRequest:
    return RawRequest("POST", "", {name.replace("_", "-"): value for name, value in headers.items()}, body)


def test_the_adapter_keeps_the_contract_and_names_its_door(adapter: EmailAdapter) -> None:
    assert isinstance(adapter, Adapter)
    status = adapter.status()
    assert (status.address, status.inbound, status.health) == ("hotline@city.example", "127.0.0.1:8025", Health.OK)
    assert EmailAdapter(EmailSettings(enabled=False), SETTINGS).status().health is Health.OFF


def test_a_kept_letter_is_read_again(adapter: EmailAdapter) -> None:
    (contact,) = adapter.parse(kept(letters.PLAIN, mail_from=LI, rcpt_to=f"{MAILBOX}, hotline+x@city.example"))
    assert contact.subject == "Street lamp"


def test_an_unreadable_letter_and_one_for_nobody_are_unreadable_contacts(adapter: EmailAdapter) -> None:
    with pytest.raises(UnreadableContactError, match="nested"):
        adapter.parse(kept(letters.nested(40), mail_from=LI, rcpt_to=MAILBOX))
    with pytest.raises(UnreadableContactError, match="no recipient"):
        adapter.parse(kept(letters.PLAIN))


def test_nothing_that_comes_over_http_is_from_the_mail_server(adapter: EmailAdapter) -> None:
    with pytest.raises(ForgedRequestError):
        adapter.verify(kept(letters.PLAIN))
    assert adapter.ack(kept(b""), []).status == 404


def test_without_a_key_the_door_does_not_open(tmp_path: Path) -> None:
    settings = Settings(security=SecuritySettings(secret_key_file=str(tmp_path / "none")))
    with pytest.raises(SettingsError, match="secret_key_file"):
        EmailAdapter(EmailSettings(), settings)
