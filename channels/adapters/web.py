"""The public contact form: a page, an app or a script posts it, as a form or as JSON."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from typing import Any, ClassVar

from channels.contract import (
    NO_ADDRESS,
    Address,
    AddressKind,
    Capabilities,
    Channel,
    ChannelStatus,
    ContactKind,
    Health,
    InboundContact,
    Outcome,
    RawRequest,
    RawResponse,
    RefusedContactError,
    UnreadableContactError,
)
from channels.reading import clean_text, phone_address, read_form
from foundation.i18n import LANGUAGES, Sentence, language_of, say, sentence
from foundation.settings import Block, Settings

NAME = "web"
PATH = "/channels/web/contacts"
SECRET_FILES: tuple[str, ...] = ()

# The longest text of each field, in characters.
MAX_LENGTHS = {
    "name": 100,
    "phone": 40,
    "email": 254,  # RFC 5321 4.5.3.1.3
    "kind": 40,
    "subject": 200,
    "text": 10_000,
    "location": 300,
    "language": 8,
    "form_id": 64,
}
# Only an id that nobody can guess: whoever sends a form again is told the ticket's number and code.
FORM_ID = re.compile(r"[0-9a-fA-F-]{32,64}")
EMAIL = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\".]{2,}")
WORD = re.compile(r"[a-z_]+")
OK, CREATED, ACCEPTED, BAD_REQUEST, UNPROCESSABLE = 200, 201, 202, 400, 422


class WebSettings(Block):
    """[channels.web]"""

    enabled: bool = True


class FormError(RefusedContactError):
    """The form cannot be taken; `problem` is the sentence that says what to change."""

    def __init__(self, problem: Sentence, *, field: str = "", language: str) -> None:
        super().__init__(problem[0] % problem[1] if problem[1] else problem[0])
        self.problem = problem
        self.field = field
        self.language = language


@dataclass(frozen=True, slots=True)
class Form:
    """The fields as they were filled in, each within its length."""

    name: str
    phone: str
    email: str
    kind: str
    subject: str
    text: str
    location: str
    language: str
    form_id: str


class Web:
    """The web form. The answer to the request is the acknowledgement: it names the ticket and its lookup code."""

    max_body: ClassVar[int] = 64 * 1024

    def __init__(self, block: WebSettings, settings: Settings) -> None:
        self.name = NAME
        self.channel = Channel.WEB
        self.capabilities = Capabilities(can_send=False, speaks_at_once=True)
        self.paths: tuple[str, ...] = (PATH,)
        self._block = block
        self._settings = settings

    def verify(self, request: RawRequest) -> None:
        """Return always: the form is open to everybody, and carries no cookie that another site could abuse."""

    def parse(self, request: RawRequest) -> list[InboundContact]:
        form = self._form(request)
        phone = phone_address(form.phone, self._settings.city.phone_region)
        addresses = [address for address in (phone, _email_address(form.email)) if address.is_known]
        contact = InboundContact(
            adapter=NAME,
            channel=Channel.WEB,
            kind=ContactKind.FORM,
            external_id=_external_id(form, request.body),
            sender=addresses[0] if addresses else NO_ADDRESS,
            name=form.name,
            subject=form.subject,
            text=form.text,
            language=form.language,
            also=tuple(addresses[1:]),
            requested_kind=form.kind,
            location=form.location,
            details=_not_understood(form, addresses),
        )
        return [contact]

    def ack(self, request: RawRequest, outcomes: list[Outcome]) -> RawResponse:
        if outcomes:
            outcome = outcomes[0]
            body = {"number": outcome.ticket_number, "code": outcome.lookup_code, "receipt": outcome.receipt}
            return _json(OK if outcome.is_repeat else CREATED, body)
        try:
            self._form(request)
        except FormError as error:
            told = {"error": say(error.language, error.problem[0], **error.problem[1]), "field": error.field}
            return _json(UNPROCESSABLE if error.field else BAD_REQUEST, told)
        return _json(ACCEPTED, {"number": None, "code": "", "receipt": ""})

    def status(self) -> ChannelStatus:
        url = self._settings.server.public_base_url.rstrip("/")
        health = Health.OK if self._block.enabled else Health.OFF
        return ChannelStatus(NAME, Channel.WEB, url, url + PATH, health)

    def _form(self, request: RawRequest) -> Form:
        """Return the filled-in form, or raise FormError with the sentence for the citizen."""
        fields = _fields(request, self._settings.city.language)
        language = _language(fields, self._settings.city.language)
        values = {name: _field(fields, name, language) for name in MAX_LENGTHS}
        if not values["text"]:
            raise FormError(sentence("Please write what the matter is."), field="text", language=language)
        # What a program filled in wrongly is left out; it is no reason to turn a citizen away.
        values["kind"] = values["kind"] if WORD.fullmatch(values["kind"]) else ""
        values["form_id"] = values["form_id"] if FORM_ID.fullmatch(values["form_id"]) else ""
        values["language"] = values["language"] if values["language"] in LANGUAGES else ""
        return Form(**values)


def _external_id(form: Form, body: bytes) -> str:
    """Return what makes a second sending of the same form a repeat: its id and its content together.

    Without an id there is no repeat: two people may write the very same words, and neither may learn the other's code. The
    content counts, because whoever guesses an id must not swallow another's report.
    """
    if not form.form_id:
        return secrets.token_hex(32)
    return hashlib.sha256(form.form_id.lower().encode() + b"\x00" + body).hexdigest()


def _fields(request: RawRequest, language: str) -> dict[str, Any]:
    if "json" not in request.headers.get("content-type", "").lower():
        try:
            return dict(read_form(request.body))
        except UnreadableContactError:
            raise FormError(sentence("The form has too many fields."), language=language) from None
    try:
        fields = json.loads(request.body)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise FormError(sentence("The request is not a JSON object."), language=language)
    return fields


def _field(fields: dict[str, Any], name: str, language: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise FormError(sentence("The field %(field)s must be a text.", field=name), field=name, language=language)
    text = clean_text(value).strip()
    if len(text) > MAX_LENGTHS[name]:
        problem = sentence("The field %(field)s is too long: %(most)s characters at most.", field=name, most=MAX_LENGTHS[name])
        raise FormError(problem, field=name, language=language)
    return text


def _language(fields: dict[str, Any], default: str) -> str:
    """Return the language to tell the citizen in what is wrong with the form."""
    if fields.get("language") in LANGUAGES:
        return str(fields["language"])
    text = fields.get("text")
    return language_of(text, default) if isinstance(text, str) else default


def _email_address(text: str) -> Address:
    return Address(AddressKind.EMAIL, text.lower()) if EMAIL.fullmatch(text) else NO_ADDRESS


def _not_understood(form: Form, addresses: list[Address]) -> dict[str, str]:
    """Return what was typed as an address and is none: a person may make sense of it."""
    kinds = {address.kind for address in addresses}
    typed = {"phone": (AddressKind.PHONE, form.phone), "email": (AddressKind.EMAIL, form.email)}
    return {name: value for name, (kind, value) in typed.items() if value and kind not in kinds}


def _json(status: int, body: dict[str, Any]) -> RawResponse:
    return RawResponse(status, json.dumps(body, ensure_ascii=False).encode("utf-8"), "application/json; charset=utf-8")
