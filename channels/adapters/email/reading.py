"""Letters read in a process of its own: one that burns time or memory, or crashes, harms no other letter."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

import channels
from channels.adapters.email.child import LENGTH, READY
from channels.adapters.email.parsing import ParseFailure, fingerprint
from channels.adapters.email.settings import EmailSettings
from channels.adapters.email.tokens import split_recipient, ticket_number_of
from channels.contract import NO_ADDRESS, Address, AddressKind, Attachment, Channel, ContactKind, InboundContact
from foundation.clock import monotonic_seconds
from foundation.i18n import say

NAME = "email"
START_SECONDS = 20.0
CLOSE_SECONDS = 2.0
AT_ONCE = 16  # letters sent ahead of their answers
_PIECE = 65_536  # as much as a pipe holds
_MODULE = "channels.adapters.email.child"
_ROOT = Path(channels.__file__).parent.parent  # where -m finds the module, in a checkout and installed

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LetterToParse:
    """One letter for one of our mailboxes.

    recipient   the address that it came to, plus part included
    mail_from   the envelope's sender, "" for the null return path
    """

    body: bytes
    recipient: str
    mail_from: str

    @property
    def mailbox(self) -> str:
        return split_recipient(self.recipient)[0]


def letters_of(body: bytes, mail_from: str, recipients: Sequence[str]) -> list[LetterToParse]:
    """Return one letter for each of our mailboxes that it came to; the recipient with a plus part stands for its mailbox."""
    chosen: dict[str, str] = {}
    for recipient in recipients:
        mailbox, plus_part = split_recipient(recipient)
        if mailbox not in chosen or plus_part:
            chosen[mailbox] = recipient
    return [LetterToParse(body, recipient, mail_from) for recipient in chosen.values()]


class ParserUnavailableError(Exception):
    """The process that reads letters cannot be started; the letters are unharmed, try again later."""


class ParserProcess:
    """Reads letters in one child process, which is started by the first letter and stays.

    Thread-safe: one batch at a time. Idle it costs nothing, in a forked process it starts a child of its own.
    key   of the signed plus addresses; the child never sees it
    """

    def __init__(self, settings: EmailSettings, *, key: str) -> None:
        self._settings = settings
        self._key = key
        self._lock = threading.Lock()
        self._child: _Child | None = None

    @property
    def pid(self) -> int | None:
        """Return the child's process id, None when none runs."""
        return self._child.pid if self._child else None

    def parse(self, letters: Sequence[LetterToParse]) -> list[InboundContact | ParseFailure]:
        """Return a contact or a failure for each letter, in their order.

        Raises   ParserUnavailableError; then none of the letters has been judged
        """
        with self._lock:
            read: list[dict[str, Any] | ParseFailure] = []
            while len(read) < len(letters):
                self._go_on(letters, read)
        return [
            fields if isinstance(fields, ParseFailure) else contact_of(fields, letter, self._key)
            for letter, fields in zip(letters, read, strict=True)
        ]

    def _go_on(self, letters: Sequence[LetterToParse], read: list[dict[str, Any] | ParseFailure]) -> None:
        """Read on from the first unread letter; a child that fails costs the letter that it had in hand."""
        child = self._running_child()
        try:
            for fields in child.read(letters[len(read) :], self._settings.parser_seconds):
                read.append(fields)  # noqa: PERF402  one by one: what came before a failure stays
        except _ChildFailedError as error:
            child.kill()
            self._child = None
            letter = letters[len(read)]
            log.warning("letter_unreadable", reason=str(error), size=len(letter.body))
            read.append(ParseFailure(str(error), fingerprint(letter.body, letter.mailbox)))
        except BaseException:
            child.kill()  # answers may be on their way: they must not meet other letters
            self._child = None
            raise

    def _running_child(self) -> _Child:
        if self._child is not None and self._child.owner != os.getpid():
            self._child = None  # it belongs to the process that we were forked from
        if self._child is not None and not self._child.is_alive():
            self._child.kill()
            self._child = None
        if self._child is None:
            self._child = _Child(self._settings)
        return self._child

    def close(self) -> None:
        """End the child; the next letter would start another."""
        with self._lock:
            if self._child is not None and self._child.owner == os.getpid():
                self._child.close()
            self._child = None


def contact_of(fields: dict[str, Any], letter: LetterToParse, key: str) -> InboundContact:
    """Return the contact in what the child read."""
    language = fields["language"]
    text = fields["text"]
    if fields["is_cut"]:
        text += "\n\n" + say(language, "[The letter is longer. The whole of it is kept as it came.]")
    return InboundContact(
        adapter=NAME,
        channel=Channel.EMAIL,
        kind=ContactKind.MESSAGE,
        external_id=fields["external_id"],
        sender=Address(AddressKind.EMAIL, fields["sender"]) if fields["sender"] else NO_ADDRESS,
        name=fields["name"],
        subject=fields["subject"],
        text=text,
        language=language,
        mailbox=letter.mailbox,
        ticket_token=ticket_number_of(letter.recipient, key),
        refers_to=tuple(fields["refers_to"]),
        is_machine=fields["is_machine"],
        occurred_at=datetime.fromisoformat(fields["occurred_at"]) if fields["occurred_at"] else None,
        attachments=tuple(Attachment(*attachment) for attachment in fields["attachments"]),
        details={"message_id": fields["message_id"], "sender_from": fields["sender_from"], "mail_from": letter.mail_from},
    )


# ── the child, seen from outside ──


class _ChildFailedError(Exception):
    """The child crashed or took too long; the text says which."""


class _Child:
    """One child process and the pipes to it."""

    def __init__(self, settings: EmailSettings) -> None:
        self.owner = os.getpid()
        self._incoming = bytearray()
        self._serial = 0
        command = [sys.executable, "-m", _MODULE, str(settings.parser_seconds), str(settings.parser_memory_mb)]
        try:
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter and module, numbers for arguments
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, cwd=_ROOT, env=_environment(), close_fds=True
            )
        except OSError as error:
            raise ParserUnavailableError(f"the process that reads letters cannot be started ({error.strerror})") from None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        os.set_blocking(self._stdin.fileno(), False)
        os.set_blocking(self._stdout.fileno(), False)
        self._await_ready()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _await_ready(self) -> None:
        try:
            frame = next(self._frames(deque(), START_SECONDS))
        except _ChildFailedError as error:
            self.kill()
            raise ParserUnavailableError(f"the process that reads letters did not start: {error}") from None
        if frame != READY:
            self.kill()
            raise ParserUnavailableError("the process that reads letters answers something else; is this installation complete?")

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def read(self, letters: Sequence[LetterToParse], seconds: float) -> Iterator[dict[str, Any] | ParseFailure]:
        """Yield what the child read, in the letters' order. Raises _ChildFailedError at the letter that it failed on."""
        outgoing: deque[memoryview] = deque()
        sent = 0
        frames = self._frames(outgoing, seconds)
        for index in range(len(letters)):
            while sent < len(letters) and sent < index + AT_ONCE:
                self._queue(outgoing, letters[sent], self._serial + sent)
                sent += 1
            yield self._judged(next(frames), self._serial + index)
        self._serial += len(letters)

    def _queue(self, outgoing: deque[memoryview], letter: LetterToParse, serial: int) -> None:
        envelope = json.dumps([serial, letter.mailbox, letter.mail_from]).encode()
        head = LENGTH.pack(len(envelope)) + envelope + LENGTH.pack(len(letter.body))
        if len(letter.body) <= _PIECE:
            outgoing.append(memoryview(head + letter.body))
        else:
            outgoing.extend((memoryview(head), memoryview(letter.body)))

    def _judged(self, frame: bytes, serial: int) -> dict[str, Any] | ParseFailure:
        answer = json.loads(frame)
        if answer["serial"] != serial:
            raise _ChildFailedError("the reading process mixed up its answers")
        fields: dict[str, Any] = answer["read"]
        return ParseFailure(**fields) if answer["failed"] else fields

    def _frames(self, outgoing: deque[memoryview], seconds: float) -> Iterator[bytes]:
        """Yield the child's frames while writing what is to go out; neither side ever waits for the other to read.

        seconds   for each frame
        """
        with selectors.PollSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            is_writing = False
            while True:
                deadline = monotonic_seconds() + seconds
                while (frame := self._next_frame()) is None:
                    is_writing = self._write_interest(selector, is_writing, bool(outgoing))
                    ready = selector.select(max(0.0, deadline - monotonic_seconds()))
                    if not ready and monotonic_seconds() >= deadline:
                        raise _ChildFailedError(f"reading took longer than {seconds:g} seconds")
                    for selected, _ in ready:
                        if selected.fileobj is self._stdin:
                            self._write(outgoing)
                        else:
                            self._receive()
                yield frame

    def _write_interest(self, selector: selectors.BaseSelector, is_writing: bool, wanted: bool) -> bool:
        if wanted and not is_writing:
            selector.register(self._stdin, selectors.EVENT_WRITE)
        elif is_writing and not wanted:
            selector.unregister(self._stdin)
        return wanted

    def _next_frame(self) -> bytes | None:
        if len(self._incoming) < LENGTH.size:
            return None
        (size,) = LENGTH.unpack_from(self._incoming)
        if len(self._incoming) < LENGTH.size + size:
            return None
        frame = bytes(self._incoming[LENGTH.size : LENGTH.size + size])
        del self._incoming[: LENGTH.size + size]
        return frame

    def _receive(self) -> None:
        piece = os.read(self._stdout.fileno(), _PIECE)
        if not piece:
            raise _ChildFailedError(f"the reading process ended ({self._ending()})")
        self._incoming += piece

    def _write(self, outgoing: deque[memoryview]) -> None:
        try:
            written = os.write(self._stdin.fileno(), outgoing[0])
        except BlockingIOError:
            return
        except BrokenPipeError:
            raise _ChildFailedError(f"the reading process ended ({self._ending()})") from None
        if written == len(outgoing[0]):
            outgoing.popleft()
        else:
            outgoing[0] = outgoing[0][written:]

    def _ending(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(CLOSE_SECONDS)
            return f"signal {-code}" if code < 0 else f"status {code}"
        return "still there"

    def close(self) -> None:
        """Let the child end by itself, then see to it."""
        self._stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(CLOSE_SECONDS)
        self.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._stdin.close()
        self._stdout.close()


def _environment() -> dict[str, str]:
    """Return no more than the interpreter needs: a hostile letter must find no secret in the environment."""
    return {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ} | {"PYTHONUTF8": "1"}
