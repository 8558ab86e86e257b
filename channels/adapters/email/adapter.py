"""The email door as the hotline sees it: what it is called, what it can do, how a kept letter is read again."""

from __future__ import annotations

from typing import ClassVar

from channels.adapters.email.parsing import ParseFailure
from channels.adapters.email.reading import NAME, ParserProcess, letters_of
from channels.adapters.email.sending import signing_key
from channels.adapters.email.settings import SECRET_FILES, EmailSettings
from channels.contract import (
    Capabilities,
    Channel,
    ChannelStatus,
    ForgedRequestError,
    Health,
    InboundContact,
    Outcome,
    RawRequest,
    RawResponse,
    UnreadableContactError,
)
from foundation.i18n import say
from foundation.settings import Settings

__all__ = ["SECRET_FILES", "EmailAdapter", "EmailSettings"]

MAIL_FROM = "mail-from"
RECIPIENTS = "rcpt-to"


class EmailAdapter:
    """Letters come in over SMTP (`door.py`), never over HTTP.

    parser   the process that reads letters; it starts with the first one, `parser.close()` ends it
    Raises   SettingsError when there is no key to sign addresses with
    """

    name = NAME
    channel = Channel.EMAIL
    capabilities = Capabilities(can_send=True)
    paths: tuple[str, ...] = ()
    max_body: ClassVar[int] = 26_214_400

    def __init__(self, block: EmailSettings, settings: Settings) -> None:
        self.block = block
        self._language = settings.city.language
        self.parser = ParserProcess(block, key=signing_key(settings))

    def verify(self, request: RawRequest) -> None:  # noqa: ARG002  the contract's shape
        raise ForgedRequestError("letters come in over SMTP only")

    def parse(self, request: RawRequest) -> list[InboundContact]:
        """Return a kept letter's contacts, one for each of our mailboxes: a door for repeats and for tests.

        request   body: the letter; headers: mail-from, and rcpt-to with the recipients between commas
        Raises    UnreadableContactError, ParserUnavailableError
        """
        recipients = [recipient.strip() for recipient in request.headers.get(RECIPIENTS, "").split(",") if recipient.strip()]
        if not recipients:
            raise UnreadableContactError("the letter names no recipient")
        contacts: list[InboundContact] = []
        for read in self.parser.parse(letters_of(request.body, request.headers.get(MAIL_FROM, ""), recipients)):
            if isinstance(read, ParseFailure):
                raise UnreadableContactError(read.reason)
            contacts.append(read)
        return contacts

    def ack(self, request: RawRequest, outcomes: list[Outcome]) -> RawResponse:  # noqa: ARG002  the contract's shape
        """Return 404: nobody asks over HTTP. The SMTP session answers for itself."""
        return RawResponse(status=404)

    def status(self) -> ChannelStatus:
        """Return which mailboxes are served, and where the mail server must deliver to."""
        off = say(self._language, "Switched off. Set enabled = true under [channels.email] to take letters.")
        return ChannelStatus(
            name=NAME,
            kind=Channel.EMAIL,
            address=", ".join(self.block.mailboxes),
            inbound=f"{self.block.host}:{self.block.port}",
            health=Health.OK if self.block.enabled else Health.OFF,
            detail="" if self.block.enabled else off,
        )
