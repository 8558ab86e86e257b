"""Requests of providers, as the adapters get them, made from the payloads beside this file."""

from __future__ import annotations

from pathlib import Path

from twilio.request_validator import RequestValidator

from channels.adapters.twilio.sms import PATH as SMS_PATH
from channels.contract import ContactKind, Outcome, RawRequest
from channels.reading import read_form
from foundation.settings import ServerSettings, Settings

PAYLOADS = Path(__file__).parent / "payloads"
BASE_URL = "https://hotline.city.example"
AUTH_TOKEN = "an-auth-token-of-the-office"
FORM = "application/x-www-form-urlencoded"


def settings() -> Settings:
    """Return settings of an office that stands behind a proxy with another name than its own."""
    return Settings(server=ServerSettings(public_base_url=BASE_URL))


def payload(name: str) -> bytes:
    """Return a payload by its file name without the ending."""
    (path,) = PAYLOADS.glob(f"{name}.*")
    return path.read_bytes()


def signed(body: bytes, path: str = SMS_PATH, *, token: str = AUTH_TOKEN, base_url: str = BASE_URL) -> RawRequest:
    """Return a webhook as Twilio signs it."""
    signature = RequestValidator(token).compute_signature(base_url + path, read_form(body))
    headers = {"host": "127.0.0.1:8000", "content-type": FORM, "x-twilio-signature": signature}
    return RawRequest("POST", path, headers, body, "127.0.0.1")


def posted(body: bytes, path: str, content_type: str = FORM, **headers: str) -> RawRequest:
    """Return a request without a signature; header names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RawRequest("POST", path, {"content-type": content_type, **named}, body, "127.0.0.1")


def outcome(kind: ContactKind = ContactKind.CALL, **values: str | bool | None) -> Outcome:
    """Return what became of a contact: ticket 24-000123 unless told otherwise."""
    facts: dict[str, str | bool | None] = {"ticket_number": "24-000123", "lookup_code": "QX7KPM2H", "language": "en"}
    return Outcome(external_id="CA1", kind=kind, receipt="R77", **(facts | values))  # type: ignore[arg-type]
