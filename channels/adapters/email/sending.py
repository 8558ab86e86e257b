"""Our letters: built as RFC 5322 wants them, handed to the city's mail relay.

smtplib, in a worker: it costs half the CPU of its asyncio counterpart.
"""

from __future__ import annotations

import contextlib
import re
import smtplib
import ssl
from collections.abc import Callable, Iterator
from datetime import datetime
from email.headerregistry import Address as MailAddress
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime
from typing import NoReturn

from channels.adapters.email.parsing import LOOP_HEADER
from channels.adapters.email.reading import NAME
from channels.adapters.email.settings import EmailSettings
from channels.adapters.email.tokens import reply_address
from channels.contract import (
    OutboundMessage,
    PermanentSendError,
    Purpose,
    RetryableSendError,
    SendError,
    Sent,
    UnknownOutcomeError,
    UnreachableError,
)
from foundation.security import signature
from foundation.settings import Settings, SettingsError, secret

# letters that nobody must answer automatically: RFC 3834, and what Exchange reads instead
AUTOMATIC = frozenset({Purpose.ACKNOWLEDGEMENT, Purpose.QUESTION, Purpose.REVISIT, Purpose.NOTICE})
MAX_REFERENCES = 20
_QUIT_SECONDS = 2.0  # what became of the letter is known by then

_ADDRESS = re.compile(r"[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]{1,64}@[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]{1,255}")
_MESSAGE_ID = re.compile(r"<[^<>\s\x00-\x1f\x7f]{1,240}>")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]+")
_CONTROLS_BUT_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_ENHANCED = re.compile(r"5\.\d{1,3}\.\d{1,3}\b")
# enhanced codes that speak of the address, not of us or of the letter; iana.org/assignments/smtp-enhanced-status-codes
_NOBODY_THERE = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
_NOBODY_THERE_PLAIN = frozenset({550, 551, 553})  # at RCPT, when there is no enhanced code


class SmtpSender:
    """Delivers letters by SMTP to one relay, a connection each.

    now      what the Date header says
    Raises   SettingsError when the relay, its password or our key is missing
    """

    name = NAME

    def __init__(self, block: EmailSettings, settings: Settings, *, now: Callable[[], datetime]) -> None:
        self._block = block
        self._key = signing_key(settings)
        self._now = now
        if not block.smtp_host:
            raise SettingsError('[channels.email] smtp_host: name the mail relay, or set deliver = "console"')
        self._password = ""
        if block.smtp_user:
            self._password = secret("", block.smtp_password_file, "[channels.email] smtp_password_file")
            if not self._password:
                raise SettingsError(
                    f"[channels.email] smtp_password_file: the file {block.smtp_password_file} is missing or empty; "
                    'put the password of smtp_user there, or set smtp_user = ""'
                )

    def send(self, message: OutboundMessage) -> Sent:
        """Deliver one letter, or raise one of the `SendError`s. Only a lost answer to the whole letter is an unknown outcome."""
        if not _ADDRESS.fullmatch(message.to.value):
            raise UnreachableError("that is no email address")
        letter = build_message(message, self._block, key=self._key, now=self._now())
        with self._connection() as relay:
            self._hand_over(relay, letter, envelope_sender(message, self._block), message.to.value)
        return Sent(provider_id=str(letter["Message-ID"]))

    @contextlib.contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        """Give a relay that is ready for MAIL; any failure before that is for later, a wrong password too."""
        relay: smtplib.SMTP | None = None
        try:
            try:
                relay = self._connected()
                self._greet(relay)
            except (OSError, smtplib.SMTPException) as error:
                raise RetryableSendError(f"the mail relay cannot be used now: {_short(error)}") from None
            yield relay
        finally:
            if relay is not None:
                _say_goodbye(relay)

    def _connected(self) -> smtplib.SMTP:
        domain = self._block.mailboxes[0].rpartition("@")[2]  # else smtplib asks DNS for our name
        return smtplib.SMTP(self._block.smtp_host, self._block.smtp_port, local_hostname=domain, timeout=self._block.smtp_timeout_seconds)

    def _greet(self, relay: smtplib.SMTP) -> None:
        relay.ehlo_or_helo_if_needed()
        if self._block.smtp_starttls:
            relay.starttls(context=ssl.create_default_context())
            relay.ehlo_or_helo_if_needed()
        if self._block.smtp_user:
            relay.login(self._block.smtp_user, self._password)

    def _hand_over(self, relay: smtplib.SMTP, letter: EmailMessage, mail_from: str, to: str) -> None:
        utf8 = not to.isascii()
        if utf8 and not relay.has_extn("smtputf8"):
            raise PermanentSendError("the mail relay takes no address outside ASCII (SMTPUTF8)")
        content = letter.as_bytes(policy=_POLICY.clone(utf8=utf8))
        try:
            _expect(250, relay.mail(mail_from, ["SMTPUTF8"] if utf8 else []))
            _expect(250, relay.rcpt(to), is_about_the_address=True)
            _expect(354, relay.docmd("DATA"))
            relay.send(_with_dots(content))
        except (OSError, smtplib.SMTPException) as error:
            raise RetryableSendError(f"the mail relay went away before it had the letter: {_short(error)}") from None
        try:
            answer = relay.getreply()
        except (OSError, smtplib.SMTPException) as error:
            raise UnknownOutcomeError(f"the mail relay had the letter and did not answer: {_short(error)}") from None
        if not 200 <= answer[0] <= 599:
            raise UnknownOutcomeError("the mail relay had the letter and answered something that is no SMTP")
        _expect(250, answer)


def _say_goodbye(relay: smtplib.SMTP) -> None:
    with contextlib.suppress(OSError, smtplib.SMTPException):  # the connection may be gone already
        if relay.sock is not None:
            relay.sock.settimeout(_QUIT_SECONDS)
        relay.quit()
    relay.close()


def _expect(wanted: int, answer: tuple[int, bytes], *, is_about_the_address: bool = False) -> None:
    """Return when the relay says what was wanted (RCPT may also say 251), else raise the error that its answer means."""
    code, text = answer
    if code == wanted or (wanted == 250 and code in (251, 252)):
        return
    _refuse(code, text.decode("ascii", "replace"), is_about_the_address)


def _refuse(code: int, text: str, is_about_the_address: bool) -> NoReturn:
    found = _ENHANCED.search(text)
    enhanced = found[0] if found else ""
    reason = f"the mail relay said {code} {enhanced}".rstrip()  # its words may repeat the citizen's address
    kind: type[SendError] = PermanentSendError
    if not 500 <= code <= 599:
        kind = RetryableSendError
    elif enhanced in _NOBODY_THERE or (is_about_the_address and not enhanced and code in _NOBODY_THERE_PLAIN):
        kind = UnreachableError
    raise kind(reason)


def _short(error: Exception) -> str:
    """Return an error without the relay's words."""
    code = getattr(error, "smtp_code", None)
    return f"{type(error).__name__} {code}" if code else type(error).__name__


def _with_dots(content: bytes) -> bytes:
    """Return a letter as DATA wants it: RFC 5321 4.5.2. Its line ends are CRLF already."""
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed + (b"" if stuffed.endswith(b"\r\n") else b"\r\n") + b".\r\n"


# ── the letter ──


class _LetterPolicy(EmailPolicy):
    """Folds lists of Message-IDs one a line: the library turns a long one into an encoded word, which threads nothing."""

    def fold_binary(self, name: str, value: str) -> bytes:
        if name.lower() in ("references", "in-reply-to"):
            return f"{name}: ".encode() + b"\r\n ".join(str(value).encode().split()) + b"\r\n"
        return super().fold_binary(name, value)


_POLICY = _LetterPolicy(linesep=SMTP.linesep, cte_type="7bit")  # base64 or quoted-printable: every relay passes them on


def build_message(message: OutboundMessage, block: EmailSettings, *, key: str, now: datetime) -> EmailMessage:
    """Return the letter. Nothing in `message` can add a header: controls are taken out, ids that are none are left out."""
    mailbox = _mailbox(message, block)
    letter = EmailMessage(policy=_POLICY)
    letter["From"] = _address(mailbox, _line(block.from_name))
    letter["To"] = _address(message.to.value)
    letter["Subject"] = _line(message.subject)
    letter["Date"] = format_datetime(now)
    letter["Message-ID"] = _own_id(message, mailbox)
    thread = [identifier for identifier in message.in_reply_to if _MESSAGE_ID.fullmatch(identifier)]
    if thread:
        letter["In-Reply-To"] = thread[-1]
        letter["References"] = " ".join(thread[-MAX_REFERENCES:])
    if message.reply_token:
        letter["Reply-To"] = _address(reply_address(mailbox, _line(message.reply_token), key))
    if message.purpose in AUTOMATIC:
        letter["Auto-Submitted"] = "auto-replied"
        letter["X-Auto-Response-Suppress"] = "All"
    letter[LOOP_HEADER] = signature(key, "loop", mailbox)[:16]
    letter.set_content(_CONTROLS_BUT_LINES.sub("", message.text), charset="utf-8")
    return letter


def envelope_sender(message: OutboundMessage, block: EmailSettings) -> str:
    """Return whom a bounce goes to; nobody for an acknowledgement, so that no two robots ever talk (RFC 3834)."""
    return "" if message.purpose is Purpose.ACKNOWLEDGEMENT else _mailbox(message, block)


def signing_key(settings: Settings) -> str:
    """Return the key of the signed addresses, or raise SettingsError: without one anybody could sign."""
    if not settings.secret_key:
        raise SettingsError(f"[security] secret_key_file: the file {settings.security.secret_key_file} is missing; put a random key there")
    return settings.secret_key


def _mailbox(message: OutboundMessage, block: EmailSettings) -> str:
    """Return which of our addresses writes; the first one for a message that came by another channel."""
    return message.mailbox if message.mailbox in block.mailboxes else block.mailboxes[0]


def _own_id(message: OutboundMessage, mailbox: str) -> str:
    """Return the Message-ID that was fixed when the message was queued; else one that stays the same through retries."""
    if _MESSAGE_ID.fullmatch(message.message_id):
        return message.message_id
    return f"<{re.sub('[^A-Za-z0-9-]', '', message.id)}@{mailbox.rpartition('@')[2]}>"


def _address(value: str, name: str = "") -> MailAddress:
    local, _, domain = value.rpartition("@")
    return MailAddress(display_name=name, username=local, domain=domain)


def _line(value: str) -> str:
    return _CONTROLS.sub(" ", value).strip()
