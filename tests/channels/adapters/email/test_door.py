"""The SMTP door, asked by real clients over real sockets."""

from __future__ import annotations

import asyncio
import errno
import logging
import smtplib
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
import uvloop

from channels.adapters.email import door as door_module
from channels.adapters.email import smtp_session
from channels.adapters.email.door import EmailDoor, Letter
from channels.adapters.email.settings import EmailSettings
from tests.channels.adapters.email.letters import LI, MAILBOX, PLAIN

T = TypeVar("T")
Keep = Callable[[Letter], Awaitable[object]]
END = b"\r\n.\r\n"


class Loop:
    """An event loop in a thread of its own, as the server has one."""

    def __init__(self, make: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self._loop = make()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def begin(self, coroutine: Any) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Any) -> Any:
        return self.begin(coroutine).result(10)

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[Loop]:
    """Both loops: the server brings uvloop."""
    running = Loop(request.param)
    yield running
    running.end()


class Kept:
    """Keeps letters in memory."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.one_more = threading.Event()

    async def __call__(self, letter: Letter) -> None:
        self.letters.append(letter)
        self.one_more.set()


class SlowKeep(Kept):
    """Keeps a letter only when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()
        self.has_begun = threading.Event()

    async def __call__(self, letter: Letter) -> None:
        self.has_begun.set()
        await asyncio.get_running_loop().run_in_executor(None, self.may_go_on.wait, 10)
        await super().__call__(letter)


@contextmanager
def opened(loop: Loop, keep: Keep, **settings: Any) -> Iterator[int]:
    """Give the port of an open door."""
    door = EmailDoor(EmailSettings(**{"port": 0, **settings}), keep)
    _, port = loop.run(door.start())
    try:
        yield port
    finally:
        loop.run(door.stop(5))


def client(port: int) -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", port, local_hostname="client.test", timeout=10)


class Line:
    """SMTP by hand."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self._file = self.socket.makefile("rb")

    def read(self) -> str:
        """Return the last line of one answer, "" when the door hung up."""
        while (line := self._file.readline().decode())[3:4] == "-":
            pass
        return line.strip()

    def say(self, command: bytes) -> str:
        self.socket.sendall(command + b"\r\n")
        return self.read()

    def begin_letter(self, body: bytes = b"") -> None:
        assert self.read().startswith("220")
        for command in (b"EHLO client.test", b"MAIL FROM:<li@example.org>", b"RCPT TO:<hotline@city.example>"):
            assert self.say(command).startswith("250")
        assert self.say(b"DATA").startswith("354")
        self.socket.sendall(body)

    def close(self) -> None:
        self._file.close()
        self.socket.close()


@pytest.fixture
def line() -> Iterator[Callable[[int], Line]]:
    lines: list[Line] = []

    def connect(port: int) -> Line:
        lines.append(Line(port))
        return lines[-1]

    yield connect
    for one in lines:
        one.close()


def test_a_letter_is_kept_byte_for_byte_with_its_envelope(loop: Loop) -> None:
    kept = Kept()
    body = PLAIN + b".leading dot\r\n..two\r\n\xff\x00 raw\r\n"
    with opened(loop, kept) as port, client(port) as mail:
        mail.sendmail(LI, [MAILBOX, "Hotline+2026-000123.aaaabbbbcccc@CITY.example"], body)
        mail.sendmail("", [MAILBOX], body)
    assert kept.letters == [
        Letter(LI, (MAILBOX, "Hotline+2026-000123.aaaabbbbcccc@CITY.example"), "127.0.0.1", body),
        Letter("", (MAILBOX,), "127.0.0.1", body),
    ]


def test_an_unknown_recipient_is_refused_and_the_others_are_served(loop: Loop) -> None:
    kept = Kept()
    with opened(loop, kept) as port, client(port) as mail:
        refused = mail.sendmail(LI, ["mayor@city.example", MAILBOX, "hotline@elsewhere.example"], PLAIN)
    assert {address: code for address, (code, _) in refused.items()} == {"mayor@city.example": 550, "hotline@elsewhere.example": 550}
    assert [letter.recipients for letter in kept.letters] == [(MAILBOX,)]


@pytest.mark.parametrize("declared", [True, False])
def test_a_letter_over_the_limit_is_refused_declared_or_not(loop: Loop, declared: bool) -> None:
    kept = Kept()
    with opened(loop, kept, max_bytes=1_000) as port, client(port) as mail:
        mail.ehlo()
        if not declared:
            mail.esmtp_features.pop("size")
        with pytest.raises(smtplib.SMTPResponseException) as refused:
            mail.sendmail(LI, [MAILBOX], b"x" * 300_000)
        assert refused.value.smtp_code == 552
        mail.sendmail(LI, [MAILBOX], b"a small one")
    assert [letter.body for letter in kept.letters] == [b"a small one\r\n"]


def test_a_letter_of_exactly_the_limit_is_kept(loop: Loop) -> None:
    kept = Kept()
    with opened(loop, kept, max_bytes=1_000) as port, client(port) as mail:
        mail.sendmail(LI, [MAILBOX], b"x" * 998 + b"\r\n")
        with pytest.raises(smtplib.SMTPSenderRefused):
            mail.sendmail(LI, [MAILBOX], b"x" * 999 + b"\r\n")
    assert [len(letter.body) for letter in kept.letters] == [1_000]


def test_a_failing_store_says_come_again_and_nothing_of_why(loop: Loop) -> None:
    async def keep(letter: Letter) -> None:
        raise RuntimeError("disk /var/secret is full")

    with opened(loop, keep) as port, client(port) as mail, pytest.raises(smtplib.SMTPDataError) as refused:
        mail.sendmail(LI, [MAILBOX], PLAIN)
    assert refused.value.smtp_code == 451
    assert refused.value.smtp_error == b"4.3.0 The letter could not be kept, please try again later"


def test_a_slow_store_says_come_again_and_the_session_goes_on(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "KEEP_SECONDS", 0.1)
    keep = SlowKeep()
    with opened(loop, keep) as port, client(port) as mail:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            mail.sendmail(LI, [MAILBOX], PLAIN)
        assert refused.value.smtp_code == 451
        keep.may_go_on.set()
        assert mail.sendmail(LI, [MAILBOX], PLAIN) == {}


def test_a_sender_that_hangs_up_does_not_stop_the_keeping(loop: Loop, line: Callable[[int], Line]) -> None:
    keep = SlowKeep()
    with opened(loop, keep) as port:
        session = line(port)
        session.begin_letter(b"hello" + END)
        assert keep.has_begun.wait(5)
        session.close()
        keep.may_go_on.set()
        assert keep.one_more.wait(5)
    assert [letter.body for letter in keep.letters] == [b"hello\r\n"]


def test_half_a_letter_is_no_letter(loop: Loop, line: Callable[[int], Line]) -> None:
    kept = Kept()
    with opened(loop, kept) as port:
        session = line(port)
        session.begin_letter(b"half a letter\r\n.")
        session.close()
    assert kept.letters == []


SMUGGLED = b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<hotline@city.example>\r\nDATA\r\nforged\r\n.\r\n"


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\r\n\x00.\r\n", b"\n\n.\r\n", b"\r\r\n.\n"]
)
def test_a_false_end_of_data_makes_no_second_letter(loop: Loop, line: Callable[[int], Line], end: bytes) -> None:
    kept = Kept()
    with opened(loop, kept) as port:
        session = line(port)
        session.begin_letter(b"first" + end + SMUGGLED)
        assert session.read().startswith("250")
    assert [letter.mail_from for letter in kept.letters] == [LI]
    assert b"forged" in kept.letters[0].body


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_the_end_of_a_letter_is_found_however_it_is_cut_into_packets(loop: Loop, line: Callable[[int], Line], size: int) -> None:
    kept = Kept()
    text = b"..a\r\n...\r\nb\r\n.\r\n"
    with opened(loop, kept) as port:
        session = line(port)
        session.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session.begin_letter()
        for start in range(0, len(text), size):
            session.socket.sendall(text[start : start + size])
        assert session.read().startswith("250")
    assert [letter.body for letter in kept.letters] == [b".a\r\n..\r\nb\r\n"]


def test_an_empty_letter_ends_with_its_first_dot(loop: Loop, line: Callable[[int], Line]) -> None:
    kept = Kept()
    with opened(loop, kept) as port:
        session = line(port)
        session.begin_letter(b".\r\n")
        assert session.read().startswith("250")
    assert [letter.body for letter in kept.letters] == [b""]


def test_letters_sent_ahead_in_one_go_are_all_kept(loop: Loop, line: Callable[[int], Line]) -> None:
    kept = Kept()
    one = b"MAIL FROM:<li@example.org>\r\nRCPT TO:<hotline@city.example>\r\nDATA\r\n%d\r\n.\r\n"
    with opened(loop, kept) as port:
        session = line(port)
        session.begin_letter(b"0\r\n.\r\n" + b"".join(one % number for number in range(1, 5)) + b"QUIT\r\n")
        answers = [session.read()[:3] for _ in range(18)]
    assert answers == ["250", *["250", "250", "354", "250"] * 4, "221"]
    assert [letter.body for letter in kept.letters] == [b"0\r\n", b"1\r\n", b"2\r\n", b"3\r\n", b"4\r\n"]


def test_long_lines_and_large_letters_are_kept_whole(loop: Loop) -> None:
    kept = Kept()
    body = b"x" * 3_000_000 + b"\r\n" + b"short\r\n" * 100_000
    with opened(loop, kept) as port, client(port) as mail:
        mail.sendmail(LI, [MAILBOX], body)
    assert kept.letters[0].body == body


def test_an_address_in_utf_8_is_served(loop: Loop) -> None:
    kept = Kept()
    with opened(loop, kept, mailboxes=["热线@city.example"]) as port, client(port) as mail:
        mail.sendmail("李@example.org", ["热线@city.example"], PLAIN, mail_options=["SMTPUTF8"])
    assert (kept.letters[0].mail_from, kept.letters[0].recipients) == ("李@example.org", ("热线@city.example",))


@pytest.mark.parametrize("broken", [b"(" * 1_900 + b">", b"li@example.org> WHAT=EVER", b"@example.org:;>", b""])
def test_a_command_that_breaks_the_grammar_is_answered_without_details(loop: Loop, line: Callable[[int], Line], broken: bytes) -> None:
    with opened(loop, Kept()) as port:
        session = line(port)
        session.read()
        session.say(b"EHLO client.test")
        answer = session.say(b"MAIL FROM:<" + broken)
        assert answer[0] in "45"
        assert "Error: (" not in answer
        assert session.say(b"MAIL FROM:<li@example.org>").startswith("250")


def test_the_library_logs_no_address_and_no_line_of_a_letter(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), opened(loop, Kept()) as port, client(port) as mail:
        mail.sendmail(LI, [MAILBOX], PLAIN)
    assert "example.org" not in caplog.text
    assert "lamp" not in caplog.text


def test_too_many_recipients_are_for_the_next_letter(loop: Loop) -> None:
    kept = Kept()
    with opened(loop, kept) as port, client(port) as mail:
        refused = mail.sendmail(LI, [f"hotline+{number}@city.example" for number in range(102)], PLAIN)
    assert sorted(code for code, _ in refused.values()) == [452, 452]
    assert len(kept.letters[0].recipients) == 100


def test_sessions_over_the_limit_are_told_to_come_later_and_get_in_when_one_leaves(loop: Loop, line: Callable[[int], Line]) -> None:
    with opened(loop, Kept(), max_sessions=2, max_sessions_per_peer=1) as port:
        first, second = line(port), line(port)
        assert first.read().startswith("220")
        assert second.read().startswith("220")  # loopback is the city's own mail server: no limit for it alone
        third = line(port)
        assert third.read().startswith("421")
        assert third.read() == ""
        first.say(b"QUIT")
        assert first.read() == ""
        assert line(port).read().startswith("220")


def test_one_stranger_gets_no_more_than_its_share(loop: Loop, line: Callable[[int], Line], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "_is_loopback", lambda peer: False)
    with opened(loop, Kept(), max_sessions_per_peer=1) as port:
        assert line(port).read().startswith("220")
        assert line(port).read().startswith("421 4.7.0")


def test_a_silent_session_is_closed(loop: Loop, line: Callable[[int], Line]) -> None:
    with opened(loop, Kept(), idle_seconds=1) as port:
        session = line(port)
        session.begin_letter(b"and then nothing")
        assert session.read().startswith("421 4.4.2")
        assert session.read() == ""


def test_a_letter_that_drips_for_too_long_is_cut_off(loop: Loop, line: Callable[[int], Line], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp_session, "MAX_LETTER_SECONDS", -1.0)
    kept = Kept()
    with opened(loop, kept) as port:
        session = line(port)
        session.begin_letter(b"drip")
        assert session.read() == smtp_session.TOO_SLOW
        assert session.read() == ""
    assert kept.letters == []


def test_large_letters_that_would_fill_the_memory_are_put_off(
    loop: Loop, line: Callable[[int], Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "MAX_BYTES_IN_FLIGHT", 2_000_000)
    keep = SlowKeep()
    with opened(loop, keep) as port:
        first, second = line(port), line(port)
        first.begin_letter(b"x" * 1_500_000 + END)
        assert keep.has_begun.wait(5)
        second.begin_letter(b"x" * 1_500_000 + END)
        assert second.read().startswith("452")
        keep.may_go_on.set()
        assert first.read().startswith("250")
    assert len(keep.letters) == 1


def test_starttls_auth_and_bogus_commands_are_not_offered(loop: Loop) -> None:
    with opened(loop, Kept()) as port, client(port) as mail:
        mail.ehlo()
        assert set(mail.esmtp_features) == {"size", "8bitmime", "smtputf8", "pipelining"}
        assert [mail.docmd(command)[0] for command in ("STARTTLS", "AUTH PLAIN AA==", "HELP")] == [500, 500, 500]


def test_stopping_lets_a_letter_in_hand_finish_and_sends_the_others_away(loop: Loop, line: Callable[[int], Line]) -> None:
    keep = SlowKeep()
    door = EmailDoor(EmailSettings(port=0), keep)
    _, port = loop.run(door.start())
    busy, idle, unfinished = line(port), line(port), line(port)
    busy.begin_letter(b"in hand" + END)
    assert keep.has_begun.wait(5)
    assert idle.read().startswith("220")
    unfinished.begin_letter(b"half of it")
    stopping = loop.begin(door.stop(5))
    assert idle.read().startswith("421")
    with pytest.raises(ConnectionRefusedError):
        line(port)
    keep.may_go_on.set()
    unfinished.socket.sendall(END)
    for session in (busy, unfinished):
        assert session.read().startswith("250")
        assert session.read().startswith("421")
    stopping.result(5)
    assert sorted(letter.body for letter in keep.letters) == [b"half of it\r\n", b"in hand\r\n"]


def test_stopping_waits_no_longer_than_it_is_told(loop: Loop, line: Callable[[int], Line]) -> None:
    door = EmailDoor(EmailSettings(port=0), Kept())
    _, port = loop.run(door.start())
    session = line(port)
    session.begin_letter(b"never ends")
    loop.run(door.stop(0.1))
    assert session.read().startswith("421")


def test_a_taken_port_is_one_sentence_with_the_remedy(loop: Loop) -> None:
    with opened(loop, Kept()) as port:
        with pytest.raises(OSError, match="taken by another program") as failed:
            loop.run(EmailDoor(EmailSettings(port=port), Kept()).start())
        assert failed.value.errno == errno.EADDRINUSE
