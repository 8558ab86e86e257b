"""Telephone calls through Twilio: each step of a call is one request, answered with TwiML.

Source    twilio.com/docs/voice/twiml, twilio.com/docs/voice/twiml/gather
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal
from urllib.parse import parse_qs, urlencode, urlsplit

from pydantic import PositiveInt
from twilio.twiml.voice_response import VoiceResponse

from channels.adapters.twilio.account import MAX_BODY, TwilioBlock, auth_tokens, caller, door_status
from channels.adapters.twilio.signature import require_signature
from channels.calls import TRIES, Gather, Heard, Office, Place, Redirect, Say, Stage, Step, contact_kind, next_steps, spoken_language
from channels.contract import (
    Address,
    AddressKind,
    Capabilities,
    Channel,
    ChannelStatus,
    ContactKind,
    InboundContact,
    Outcome,
    RawRequest,
    RawResponse,
)
from channels.reading import clean_text, external_id, phone_address, read_form, speakable
from foundation.settings import Settings

NAME = "twilio_voice"
FOLDER = "/channels/twilio_voice"
STATUS_PATH = f"{FOLDER}/status"
SECRET_FILES: tuple[str, ...] = ("auth_token_file",)

PATHS = {
    Stage.INCOMING: f"{FOLDER}/incoming",
    Stage.WORDS: f"{FOLDER}/words",
    Stage.CALLBACK: f"{FOLDER}/callback",
    Stage.NUMBER: f"{FOLDER}/callback",  # told apart by ask=number
}
ENDED = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})  # twilio.com/docs/voice/api/call-resource#call-status-values
SPOKEN = {"en": "en-US", "zh": "zh-CN"}  # twilio.com/docs/voice/twiml/say
RECOGNISED = {"en": "en-US", "zh": "cmn-Hans-CN"}  # twilio.com/docs/voice/twiml/gather#languagetags


class TwilioVoiceSettings(TwilioBlock):
    """[channels.twilio_voice]

    language                 "en" or "zh": what a caller hears who is not known yet
    speech_timeout_seconds   silence after which the caller has finished speaking
    """

    language: Literal["en", "zh"] = "en"
    speech_timeout_seconds: PositiveInt = 3


class TwilioVoice:
    """The telephone. `channels.calls` decides what happens; this says it in TwiML."""

    max_body: ClassVar[int] = MAX_BODY

    def __init__(self, block: TwilioVoiceSettings, settings: Settings) -> None:
        self.name = NAME
        self.channel = Channel.PHONE
        self.capabilities = Capabilities(can_send=False, speaks_at_once=True)
        self.paths: tuple[str, ...] = (*dict.fromkeys(PATHS.values()), STATUS_PATH)
        self._block = block
        self._settings = settings
        self._tokens = auth_tokens(block, NAME)
        self._office = Office(settings.city.name, settings.city.hotline_number)

    def verify(self, request: RawRequest) -> None:
        require_signature(request, public_base_url=self._settings.server.public_base_url, tokens=self._tokens)

    def parse(self, request: RawRequest) -> list[InboundContact]:
        form = read_form(request.body)
        if urlsplit(request.path_and_query).path == STATUS_PATH:
            return self._ended(form) if form.get("CallStatus") in ENDED else []
        place, heard = self._place(request), self._heard(form)
        kind = contact_kind(place, heard)
        return [self._contact(form, kind, place.language, heard)] if kind else []

    def ack(self, request: RawRequest, outcomes: list[Outcome]) -> RawResponse:
        if urlsplit(request.path_and_query).path == STATUS_PATH:
            return _twiml(VoiceResponse())
        place, heard = self._place(request), self._heard(read_form(request.body))
        outcome = outcomes[0] if outcomes else None
        return _twiml(self._render(next_steps(place, heard, outcome, self._office), spoken_language(place, outcome)))

    def status(self) -> ChannelStatus:
        return door_status(self._block, self._settings, name=NAME, channel=Channel.PHONE, path=PATHS[Stage.INCOMING])

    # ── reading a step ──

    def _place(self, request: RawRequest) -> Place:
        """Return where the call stands. The URL is ours and signed by Twilio; what makes no sense in it starts anew."""
        url = urlsplit(request.path_and_query)
        query = parse_qs(url.query, max_num_fields=20) if url.query.count("&") < 20 else {}
        language = query.get("lang", [""])[0]
        return Place(
            stage=_stage(url.path, query),
            attempt=TRIES if query.get("try") == [str(TRIES)] else 1,
            unheard="unheard" in query,
            language=language if language in SPOKEN else self._block.language,
        )

    def _heard(self, form: dict[str, str]) -> Heard:
        region = self._settings.city.phone_region
        digits = form.get("Digits", "")
        return Heard(
            speech=clean_text(form.get("SpeechResult", "")).strip(),
            digits=digits,
            can_call_back=caller(form, region).is_known,
            entered_number=phone_address(digits, region).value,
        )

    def _contact(self, form: dict[str, str], kind: ContactKind, language: str, heard: Heard) -> InboundContact:
        sender = caller(form, self._settings.city.phone_region)
        if kind is ContactKind.CALL_BACK and not sender.is_known:
            sender = Address(AddressKind.PHONE, heard.entered_number)
        sid = external_id(form.get("CallSid", ""))
        return InboundContact(
            adapter=NAME,
            channel=Channel.PHONE,
            kind=kind,
            external_id=sid,
            sender=sender,
            text=heard.speech if kind is ContactKind.CALL_WORDS else "",
            language=language,
            conversation=sid,
            mailbox=clean_text(form.get("To", "")),
            details=_details(form, kind),
        )

    def _ended(self, form: dict[str, str]) -> list[InboundContact]:
        return [self._contact(form, ContactKind.CALL_ENDED, self._block.language, Heard())]

    # ── speaking ──

    def _render(self, steps: tuple[Step, ...], language: str) -> VoiceResponse:
        response = VoiceResponse()
        for step in steps:
            match step:
                case Say():
                    _say(response, step, language)
                case Gather():
                    self._gather(response, step)
                case Redirect():
                    response.redirect(self._url(step.to), method="POST")
                case _:
                    response.hangup()
        return response

    def _gather(self, response: VoiceResponse, step: Gather) -> None:
        options: dict[str, Any] = {"action": self._url(step.leads_to), "method": "POST", "timeout": step.timeout_seconds}
        language = step.leads_to.language
        if step.listens_for == "speech":
            options |= {"input": "speech", "language": RECOGNISED[language], "speech_timeout": self._block.speech_timeout_seconds}
        else:
            options |= {"input": "dtmf", "finish_on_key": "#"}
            if step.max_digits is not None:
                options["num_digits"] = step.max_digits
        gather = response.gather(**options)
        for sentence in step.says:
            _say(gather, sentence, language)

    def _url(self, place: Place) -> str:
        query = {"try": str(place.attempt), "lang": place.language}
        if place.stage is Stage.NUMBER:
            query["ask"] = "number"
        if place.unheard:
            query["unheard"] = "1"
        return f"{self._settings.server.public_base_url.rstrip('/')}{PATHS[place.stage]}?{urlencode(query)}"


def _stage(path: str, query: dict[str, list[str]]) -> Stage:
    if path == PATHS[Stage.CALLBACK]:
        return Stage.NUMBER if query.get("ask") == ["number"] else Stage.CALLBACK
    return Stage.WORDS if path == PATHS[Stage.WORDS] else Stage.INCOMING


def _details(form: dict[str, str], kind: ContactKind) -> dict[str, Any]:
    """Return what of the call has no field of its own; `from` is the number as it came, also when withheld."""
    named = {"from": "From", "confidence": "Confidence", "country": "FromCountry"}
    if kind is ContactKind.CALL_ENDED:
        named |= {"status": "CallStatus", "duration_seconds": "CallDuration"}
    return {key: clean_text(form[field]) for key, field in named.items() if form.get(field)}


def _say(parent: Any, step: Say, language: str) -> None:
    parent.say(speakable(step.text), language=SPOKEN[language])


def _twiml(response: VoiceResponse) -> RawResponse:
    return RawResponse(body=str(response).encode("utf-8"), content_type="text/xml; charset=utf-8")
