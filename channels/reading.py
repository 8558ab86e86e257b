"""What strangers send, made safe to read: form bodies, texts, telephone numbers. Pure; every adapter uses it."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import parse_qsl

import phonenumbers

from channels.contract import NO_ADDRESS, Address, AddressKind, UnreadableContactError, Verification

MAX_FORM_FIELDS = 200
MAX_EXTERNAL_ID = 200  # the width of contact.external_id

_PHONE_SHAPE = re.compile(r"\+?[\d\s().\-/]+")
_XML_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_form(body: bytes) -> dict[str, str]:
    """Return the fields of a form-urlencoded body, blank ones kept: signatures are made over them too.

    Raises   UnreadableContactError when there are more than 200 fields
    """
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, errors="replace", max_num_fields=MAX_FORM_FIELDS))
    except ValueError:
        raise UnreadableContactError(f"the form has more than {MAX_FORM_FIELDS} fields") from None


def clean_text(text: str) -> str:
    """Return `text` as both databases can store it: no NUL, no half of a surrogate pair."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def speakable(text: str) -> str:
    """Return `text` without the characters that XML 1.0 forbids, even escaped."""
    return _XML_ILLEGAL.sub("", text)


def external_id(*parts: object) -> str:
    """Return the provider's id of a contact, or raise UnreadableContactError when it is empty or too long to be one."""
    joined = clean_text(":".join(str(part) for part in parts))
    if not joined.strip(":") or len(joined) > MAX_EXTERNAL_ID:
        raise UnreadableContactError("the provider's id of the contact is missing or longer than 200 characters")
    return joined


def phone_address(number: str, region: str, verified_by: Verification = Verification.CLAIMED) -> Address:
    """Return a telephone number as an address in E.164, or NO_ADDRESS when it is not a person's number.

    region   for numbers without "+", as "CN"
    A number with "+" need only have a possible length: new ranges appear before the library knows them. One
    without must be valid, which leaves out short codes and senders like 1069….
    """
    text = unicodedata.normalize("NFKC", number).strip()
    if not _PHONE_SHAPE.fullmatch(text):
        return NO_ADDRESS
    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return NO_ADDRESS
    has_length = phonenumbers.is_possible_number_with_reason(parsed) == phonenumbers.ValidationResult.IS_POSSIBLE
    if not (has_length if text.startswith("+") else phonenumbers.is_valid_number(parsed)):
        return NO_ADDRESS
    return Address(AddressKind.PHONE, phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164), verified_by)
