"""What a citizen may write into the report form, and what is wrong with it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs

import phonenumbers

from channels.reading import clean_text
from foundation.i18n import mark
from tickets.lifecycle import TicketKind

MAX_LENGTH = {"name": 100, "phone": 40, "email": 254, "subject": 200, "location": 300, "text": 5000}
FORM_ID = re.compile(r"[0-9a-f]{64}")  # nobody can guess it: whoever sends a form again is told the ticket's number and code


@dataclass(frozen=True, slots=True)
class ReportForm:
    """The fields as they were typed; `form_id` is the same however often one form is sent."""

    form_id: str
    text: str = ""
    location: str = ""
    subject: str = ""
    kind: str = ""
    name: str = ""
    phone: str = ""
    email: str = ""


# in the order of the form
FIELDS = tuple(name for name in ReportForm.__dataclass_fields__ if name != "form_id")


def read_form(body: bytes) -> ReportForm:
    """Return the form in a urlencoded body; what is missing or not readable is ""."""
    try:
        pairs = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=40)
    except ValueError:  # more fields than a form of ours has
        pairs = {}
    values = {name: clean_text(pairs.get(name, [""])[0]).strip() for name in (*FIELDS, "form_id")}
    return ReportForm(**values)


def problems(form: ReportForm, *, region: str) -> dict[str, str]:
    """Return what has to be put right: field → sentence to translate, in the order of the form; empty when all is well.

    Only the matter itself is needed. Who reports need not say who they are.
    region   where a phone number without country code belongs, as "CN"
    """
    found: dict[str, str] = {}
    if not form.text:
        found["text"] = mark("Please write what happened. A few words are enough.")
    if form.kind and form.kind not in set(TicketKind):
        found["kind"] = mark("Please choose one from the list, or leave the choice to us.")
    if form.phone and not _is_phone(form.phone, region):
        found["phone"] = mark("This phone number seems to be incomplete. Please check the digits, or leave it empty.")
    if form.email and not _is_email(form.email):
        found["email"] = mark("This email address seems to be incomplete. It should look like name@example.com; or leave it empty.")
    for name, limit in MAX_LENGTH.items():
        if len(getattr(form, name)) > limit:
            found[name] = TOO_LONG[name]
    return {name: found[name] for name in FIELDS if name in found}


TOO_LONG = {
    "name": mark("This name is too long. Please shorten it to 100 characters."),
    "phone": mark("This phone number is too long. Please check it."),
    "email": mark("This email address is too long. Please check it."),
    "subject": mark("This is too long for a heading. Please shorten it to 200 characters and write the rest below."),
    "location": mark("This place is too long. Please shorten it to 300 characters."),
    "text": mark("This is too long. Please shorten it to 5,000 characters; you can send a second report with the rest."),
}


def _is_phone(text: str, region: str) -> bool:
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(text, region))
    except phonenumbers.NumberParseException:
        return False


def _is_email(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return bool(local and at) and "." in domain.strip(".") and not any(sign.isspace() for sign in text)
