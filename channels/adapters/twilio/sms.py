"""SMS and MMS through Twilio.

Source    twilio.com/docs/messaging/guides/webhook-request
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import PositiveFloat

from channels.adapters.twilio.account import DEMO_ACCOUNT_SID, MAX_BODY, TwilioBlock, auth_tokens, caller, door_status
from channels.adapters.twilio.signature import require_signature
from channels.contract import (
    AddressKind,
    Attachment,
    Capabilities,
    Channel,
    ChannelStatus,
    ContactKind,
    InboundContact,
    OutboundMessage,
    Outcome,
    PermanentSendError,
    RawRequest,
    RawResponse,
    Sent,
)
from channels.reading import clean_text, external_id, read_form
from foundation.settings import Settings, SettingsError

NAME = "twilio_sms"
PATH = "/channels/twilio_sms/messages"
SECRET_FILES: tuple[str, ...] = ("auth_token_file",)
MAX_MEDIA = 10  # MediaUrl0 to MediaUrl9
NOTHING_TO_SAY = RawResponse(body=b'<?xml version="1.0" encoding="UTF-8"?><Response/>', content_type="text/xml; charset=utf-8")


class TwilioSmsSettings(TwilioBlock):
    """[channels.twilio_sms]

    deliver           "console" writes messages to var/console, "twilio" sends them
    api_base_url      "" for Twilio, or a server that speaks the same API
    timeout_seconds   for connecting, and again for the answer
    """

    deliver: Literal["console", "twilio"] = "console"
    api_base_url: str = ""
    timeout_seconds: PositiveFloat = 10.0


class TwilioSms:
    """The SMS door. The acknowledgement is a message of its own, so Twilio is answered with an empty TwiML document."""

    max_body: ClassVar[int] = MAX_BODY

    def __init__(self, block: TwilioSmsSettings, settings: Settings) -> None:
        self.name = NAME
        self.channel = Channel.SMS
        self.capabilities = Capabilities(can_send=True, max_text=1600)  # twilio.com/docs/api/errors/21617
        self.paths: tuple[str, ...] = (PATH,)
        self._block = block
        self._settings = settings
        self._tokens = auth_tokens(block, NAME)
        if block.enabled and block.deliver == "twilio" and block.account_sid == DEMO_ACCOUNT_SID:
            raise SettingsError(f'[channels.{NAME}] account_sid: enter your account\'s SID, or set deliver = "console"')

    def verify(self, request: RawRequest) -> None:
        require_signature(request, public_base_url=self._settings.server.public_base_url, tokens=self._tokens)

    def parse(self, request: RawRequest) -> list[InboundContact]:
        form = read_form(request.body)
        sender = caller(form, self._settings.city.phone_region)
        contact = InboundContact(
            adapter=NAME,
            channel=Channel.SMS,
            kind=ContactKind.MESSAGE,
            external_id=external_id(form.get("MessageSid", "")),
            sender=sender,
            text=clean_text(form.get("Body", "")),
            mailbox=clean_text(form.get("To", "")),
            attachments=_attachments(form),
            details=_details(form, names_sender=not sender.is_known),
        )
        return [contact]

    def ack(self, request: RawRequest, outcomes: list[Outcome]) -> RawResponse:  # noqa: ARG002 - the same answer to all
        return NOTHING_TO_SAY

    def status(self) -> ChannelStatus:
        return door_status(self._block, self._settings, name=NAME, channel=Channel.SMS, path=PATH)

    def send(self, message: OutboundMessage) -> Sent:
        """Deliver one SMS, or raise one of the SendErrors."""
        if message.to.kind is not AddressKind.PHONE or not message.to.is_known:
            raise PermanentSendError("the recipient has no telephone number")
        from channels.adapters.twilio.api import send_sms  # the SDK takes a quarter of a second and memory to import

        return send_sms(
            to=message.to.value,
            sender=self._block.number,
            text=message.text,
            account_sid=self._block.account_sid,
            auth_token=self._tokens[0],
            api_base_url=self._block.api_base_url,
            timeout_seconds=self._block.timeout_seconds,
        )


def _attachments(form: dict[str, str]) -> tuple[Attachment, ...]:
    """Return what came with an MMS. The size is 0: Twilio names none before the file is fetched."""
    return tuple(
        Attachment(filename=f"media{index}", content_type=clean_text(form.get(f"MediaContentType{index}", ""))[:100], size=0)
        for index in range(MAX_MEDIA)
        if form.get(f"MediaUrl{index}")
    )


def _details(form: dict[str, str], *, names_sender: bool) -> dict[str, Any]:
    details: dict[str, Any] = {}
    urls = [clean_text(form[f"MediaUrl{index}"]) for index in range(MAX_MEDIA) if form.get(f"MediaUrl{index}")]
    if urls:
        details["media_urls"] = urls
    if names_sender:
        details["from"] = clean_text(form.get("From", ""))
    return details
