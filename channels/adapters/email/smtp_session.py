"""One SMTP session: aiosmtpd's, with its known traps closed and its cost cut.

What differs from the library (1.4.6, github.com/aio-libs/aiosmtpd), and why:
- a letter is read in pieces up to CRLF.CRLF, not line by line: half the CPU, and no limit on the length of a line,
  where the library answers 500 and the letter is lost (issue 285);
- sessions over the limit get 421 before a greeting; the idle limit also runs while a letter comes in;
- EHLO is answered in one write, and PIPELINING offered: the reader keeps what was sent ahead;
- the constructor's search for commands sees only the commands offered here; plain addresses skip the slow grammar.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from typing import ClassVar, Protocol, cast

from aiosmtpd.smtp import SMTP

TOO_LARGE = "552 5.3.4 The letter is too large"
NO_ROOM = "452 4.3.1 Too much mail at once, please try again later"
IDLE = "421 4.4.2 Nothing heard for too long"
TOO_SLOW = "421 4.4.2 The letter took too long"

MAX_LETTER_SECONDS = 600.0  # a sender may be slow, not endless
_ALL_THERE_IS = 1 << 30
_SMALL = 1_048_576  # letters up to here are always let in: all sessions together have room for them
_END = b"\r\n.\r\n"
# commands in one session; a mail server may reuse its session for many letters
_CALLS = {"MAIL": 10_000, "RCPT": 100_000, "DATA": 10_000, "RSET": 10_000, "NOOP": 1_000, "*": 20}
_COMMANDS = ("EHLO", "HELO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "VRFY", "QUIT")
_PLAIN_ADDRESS = re.compile(
    r"<([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*)>(.*)"
)


class LetterTaker(Protocol):
    """What a session asks of its door."""

    def refusal(self, session: SmtpSession, peer: str) -> str: ...

    def forget(self, session: SmtpSession) -> None: ...

    def has_room_for(self, more_bytes: int) -> bool: ...

    async def take(self, mail_from: str, recipients: list[str], peer: str, body: bytes) -> str: ...


class SmtpSession(SMTP):
    """Speaks SMTP with one peer and hands each letter to the door.

    bytes_in_hand   of the letter that is coming in or being kept
    gone            done when the connection is closed
    """

    line_length_limit = 65_536  # of a command, and of what is buffered ahead
    command_size_limits: ClassVar[dict[str, int]] = defaultdict(lambda: 2_048)  # type: ignore[misc]

    def __init__(self, door: LetterTaker, *, host_name: str, max_bytes: int, idle_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(
            door,
            data_size_limit=max_bytes,
            enable_SMTPUTF8=True,
            hostname=host_name,
            ident="ESMTP",
            timeout=idle_seconds,
            command_call_limit=_CALLS,
            loop=loop,
        )
        self._door = door
        self._max_bytes = max_bytes
        self._peer = ""
        self._is_taking = False
        self._farewell = ""
        self.bytes_in_hand = 0
        self.gone: asyncio.Future[None] = loop.create_future()

    def __dir__(self) -> list[str]:
        return list(_METHODS)  # the library builds its table of commands from this, for each session anew

    # ── coming and going ──

    async def _handle_client(self) -> None:
        assert self.session is not None
        self._peer = str(self.session.peer[0]) if self.session.peer else ""
        refusal = self._door.refusal(self, self._peer)
        if refusal:
            self._hang_up(refusal)
            return
        await super()._handle_client()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._door.forget(self)
        if not self.gone.done():
            self.gone.set_result(None)

    def leave(self, farewell: str) -> None:
        """Hang up, after the answer to a letter that is in hand."""
        if self._is_taking:
            self._farewell = farewell
        else:
            self._hang_up(farewell)

    def cut(self, farewell: str) -> None:
        """Hang up now; a letter in hand was not acknowledged, so its sender brings it again."""
        self._hang_up(farewell)

    def _timeout_cb(self) -> None:
        self._hang_up(IDLE)

    def _hang_up(self, farewell: str) -> None:
        transport = cast("asyncio.WriteTransport | None", self.transport)  # uvloop's is none by inheritance
        if transport is not None and not transport.is_closing():
            if farewell:
                transport.write(farewell.encode() + b"\r\n")
            transport.close()

    # ── commands ──

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        plain = _PLAIN_ADDRESS.fullmatch(arg)
        if plain:
            return plain[1], plain[2].strip()
        address, rest = super()._getaddr(arg)
        return address, rest

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802  the library finds it by this name
        if self.envelope is None or not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 Send MAIL and RCPT first")
            return
        if arg:
            await self.push("501 5.5.4 DATA takes no argument")
            return
        self._is_taking = True
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        try:
            answer = await self._take_letter(_readable(self.envelope.mail_from), [_readable(to) for to in self.envelope.rcpt_tos])
        finally:
            self._is_taking = False
            self.bytes_in_hand = 0
        self.envelope = self._create_envelope()
        await self.push(answer)
        if self._farewell or answer is TOO_SLOW:
            self._hang_up(self._farewell)

    async def _take_letter(self, mail_from: str, recipients: list[str]) -> str:
        """Return the answer to the letter that comes now. Raises ConnectionResetError when the sender is gone."""
        body = bytearray(b"\r\n")  # so that a dot on the first line is found like any other
        refusal, end = "", -1
        deadline = self.loop.time() + MAX_LETTER_SECONDS
        while end < 0:
            piece = await self._reader.read(_ALL_THERE_IS)
            if not piece:
                raise ConnectionResetError
            self._reset_timeout()
            searched = max(0, len(body) - len(_END) + 1)
            body += piece
            end = body.find(_END, searched)
            refusal = refusal or self._refusal_of(end if end >= 0 else len(body) - len(_END) - 1, len(piece))
            if end < 0 and self.loop.time() > deadline:
                return TOO_SLOW
            if refusal and end < 0:
                del body[: 1 - len(_END)]  # read on to the end of the letter, keep none of it
            self.bytes_in_hand = len(body)
        if len(body) > end + len(_END):
            self._reader.feed_data(bytes(body[end + len(_END) :]))  # commands that the sender did not wait with
        if refusal:
            return refusal
        del body[end + 2 :]
        letter = bytes(body.replace(b"\r\n.", b"\r\n")[2:])  # RFC 5321 4.5.2
        return await self._door.take(mail_from, recipients, self._peer, letter)

    def _refusal_of(self, size: int, more: int) -> str:
        if size > self._max_bytes:
            return TOO_LARGE
        return NO_ROOM if size > _SMALL and not self._door.has_room_for(more) else ""


def _readable(address: str | None) -> str:
    """Return an envelope address as text that can be stored; "" for the null return path."""
    return "" if address in (None, "<>") else str(address).encode("utf-8", "replace").decode()


_METHODS = tuple(f"smtp_{command}" for command in _COMMANDS)
