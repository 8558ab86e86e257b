"""The SMTP door: takes a letter whole, hands it over to be kept, and only then says 250.

Nothing is parsed here. It stands on loopback behind the city's mail server, which does TLS, greylisting and DMARC; so
STARTTLS and AUTH are not offered.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address

import structlog
from aiosmtpd.smtp import Envelope, Session

from channels.adapters.email.settings import EmailSettings
from channels.adapters.email.smtp_session import LetterTaker, SmtpSession
from channels.adapters.email.tokens import split_recipient

KEEP_SECONDS = 5.0
MAX_RECIPIENTS = 100
MAX_BYTES_IN_FLIGHT = 268_435_456  # of all sessions together: many big letters at once must not fill the memory

KEPT = "250 2.0.0 Letter kept"
NOT_NOW = "451 4.3.0 The letter could not be kept, please try again later"
UNKNOWN_MAILBOX = "550 5.1.1 There is no such mailbox here"
TOO_MANY_RECIPIENTS = "452 4.5.3 Too many recipients"
TOO_BUSY = "421 4.3.2 Too many sessions, please try again later"
TOO_MANY_FROM_YOU = "421 4.7.0 Too many sessions from your address"
LEAVING = "421 4.3.2 Shutting down, please try again later"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter as it came over SMTP.

    mail_from    the envelope's sender, "" for the null return path
    recipients   envelope recipients that are ours, as written, plus parts included
    peer         IP address of the mail server that brought it
    body         byte for byte, without SMTP's dots
    """

    mail_from: str
    recipients: tuple[str, ...]
    peer: str
    body: bytes


class EmailDoor(LetterTaker):
    """Listens for SMTP inside the running event loop.

    keep   makes one letter durable; when it returns the sender hears 250, when it raises or takes longer than
           five seconds the sender hears 451 and comes again, so it must bear repeats
    """

    def __init__(self, settings: EmailSettings, keep: Callable[[Letter], Awaitable[object]]) -> None:
        self._settings = settings
        self._mailboxes = frozenset(settings.mailboxes)
        self._keep = keep
        self._sessions: dict[SmtpSession, str] = {}  # open sessions and their peers
        self._sessions_of: Counter[str] = Counter()
        self._keeping: set[asyncio.Future[bool]] = set()
        self._server: asyncio.Server | None = None
        self._is_leaving = False

    async def start(self) -> tuple[str, int]:
        """Return host and port that the door listens on. Raises OSError with a sentence when they cannot be had."""
        # the library logs addresses and whole lines of letters below this level
        logging.getLogger("mail.log").setLevel(logging.ERROR)
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._new_session, self._settings.host, self._settings.port, backlog=256)
        except OSError as error:
            raise OSError(error.errno, self._why_not(error)) from None
        host, port = self._server.sockets[0].getsockname()[:2]
        log.info("email_door_opened", host=host, port=port)
        return str(host), int(port)

    async def stop(self, grace_seconds: float) -> None:
        """Take no more letters; return when those being taken are kept, or `grace_seconds` have passed."""
        self._is_leaving = True
        if self._server is not None:
            self._server.close()
        for session in list(self._sessions):
            session.leave(LEAVING)
        deadline = asyncio.get_running_loop().time() + grace_seconds
        closing = [session.gone for session in self._sessions]
        if closing:
            await asyncio.wait(closing, timeout=grace_seconds)
        if self._keeping:
            await asyncio.wait(set(self._keeping), timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
        for session in list(self._sessions):
            session.cut(LEAVING)
        log.info("email_door_closed", letters_still_in_hand=len(self._keeping))

    def _why_not(self, error: OSError) -> str:
        where = f"{self._settings.host}:{self._settings.port}"
        if error.errno == errno.EADDRINUSE:
            return f"{where} is taken by another program; stop it, or set another port under [channels.email]"
        return f"cannot listen for mail on {where} ({error.strerror}); set another host or port under [channels.email]"

    def _new_session(self) -> SmtpSession:
        return SmtpSession(
            self,
            host_name=self._settings.mailboxes[0].rpartition("@")[2],
            max_bytes=self._settings.max_bytes,
            idle_seconds=self._settings.idle_seconds,
        )

    # ── what a session asks ──

    def refusal(self, session: SmtpSession, peer: str) -> str:
        """Count the session in; return why it may not stay, "" when it may."""
        self._sessions[session] = peer
        self._sessions_of[peer] += 1
        if self._is_leaving:
            return LEAVING
        if len(self._sessions) > self._settings.max_sessions:
            return TOO_BUSY
        if self._sessions_of[peer] > self._settings.max_sessions_per_peer and not _is_loopback(peer):
            return TOO_MANY_FROM_YOU
        return ""

    def forget(self, session: SmtpSession) -> None:
        peer = self._sessions.pop(session, None)
        if peer is None:
            return
        self._sessions_of[peer] -= 1
        if not self._sessions_of[peer]:
            del self._sessions_of[peer]

    def has_room_for(self, more_bytes: int) -> bool:
        """Return whether all letters in hand, and `more_bytes`, fit into the memory set aside for them."""
        return sum(session.bytes_in_hand for session in self._sessions) + more_bytes <= MAX_BYTES_IN_FLIGHT

    async def handle_EHLO(  # noqa: N802  the library finds it by this name
        self, _server: SmtpSession, session: Session, _envelope: Envelope, host_name: str, lines: list[str]
    ) -> list[str]:
        session.host_name = host_name
        return ["\r\n".join([*lines[:-1], "250 PIPELINING"])]  # the last line offers HELP, which we do not have

    async def handle_RCPT(  # noqa: N802  the library finds it by this name
        self, _server: SmtpSession, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return TOO_MANY_RECIPIENTS
        if split_recipient(address)[0] not in self._mailboxes:
            return UNKNOWN_MAILBOX
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_exception(self, error: Exception) -> str:
        """Answer whatever went wrong inside a session, and tell nothing of it."""
        log.error("smtp_session_failed", error=type(error).__name__)
        return NOT_NOW

    async def take(self, mail_from: str, recipients: list[str], peer: str, body: bytes) -> str:
        """Return the SMTP answer once the letter is kept, or is not."""
        keeping = asyncio.ensure_future(self._kept(Letter(mail_from, tuple(recipients), peer, body)))
        self._keeping.add(keeping)
        keeping.add_done_callback(self._keeping.discard)
        # `wait` leaves the future alone when this session is cancelled: a sender that hangs up stops no commit
        await asyncio.wait((keeping,), timeout=KEEP_SECONDS)
        if not keeping.done():
            log.warning("letter_not_kept_in_time", seconds=KEEP_SECONDS)
            return NOT_NOW
        return KEPT if keeping.result() else NOT_NOW

    async def _kept(self, letter: Letter) -> bool:
        try:
            await self._keep(letter)
        except Exception as error:  # noqa: BLE001  whatever it was, the sender tries again and must not read why
            log.error("letter_not_kept", error=type(error).__name__)
            return False
        return True


def _is_loopback(peer: str) -> bool:
    try:
        return ip_address(peer).is_loopback
    except ValueError:
        return False
