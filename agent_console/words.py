"""Names, for the staff, of what the doors and the queue know only as codes. Pure."""

from __future__ import annotations

from channels.contract import Channel, ContactKind, Purpose
from channels.models import ContactState, MessageState, RawState
from foundation.i18n import mark
from identity.access import ActorKind
from identity.models import Department

CHANNEL_NAMES: dict[Channel, str] = {
    Channel.PHONE: mark("phone"),
    Channel.EMAIL: mark("email"),
    Channel.SMS: mark("SMS"),
    Channel.WEB: mark("web form"),
    Channel.TELEGRAM: mark("Telegram"),
    Channel.CHAT: mark("chat"),
    Channel.VISIT: mark("visit"),
}

CONTACT_KIND_NAMES: dict[ContactKind, str] = {
    ContactKind.MESSAGE: mark("message"),
    ContactKind.FORM: mark("form"),
    ContactKind.CALL: mark("call"),
    ContactKind.CALL_WORDS: mark("caller's words"),
    ContactKind.CALL_BACK: mark("wish to be called back"),
    ContactKind.CALL_ENDED: mark("end of a call"),
}

PURPOSE_NAMES: dict[Purpose, str] = {
    Purpose.ACKNOWLEDGEMENT: mark("acknowledgement"),
    Purpose.QUESTION: mark("question"),
    Purpose.ANSWER: mark("answer"),
    Purpose.REVISIT: mark("revisit"),
    Purpose.NOTICE: mark("notice"),
    Purpose.ALARM: mark("alarm"),
}

MESSAGE_STATE_NAMES: dict[MessageState, str] = {
    MessageState.QUEUED: mark("waiting to be sent"),
    MessageState.SENDING: mark("being sent"),
    MessageState.SENT: mark("sent"),
    MessageState.FAILED: mark("failed"),
    MessageState.OPTED_OUT: mark("the citizen wants no messages here"),
    MessageState.UNREACHABLE: mark("nobody is at this address"),
    MessageState.UNKNOWN: mark("not known whether it arrived"),
}

CONTACT_STATE_NAMES: dict[ContactState, str] = {
    ContactState.PENDING: mark("kept, will be tried again"),
    ContactState.WAITING: mark("the citizen was asked which ticket it belongs to"),
    ContactState.ACCEPTED: mark("accepted"),
    ContactState.DEAD: mark("given up, needs a person"),
}

RAW_STATE_NAMES: dict[RawState, str] = {
    RawState.KEPT: mark("kept, not read yet"),
    RawState.READ: mark("read"),
    RawState.UNREADABLE: mark("could not be read"),
}

LINK_GRADES: dict[str, str] = {
    "certain": mark("certain"),
    "probable": mark("probable"),
    "new": mark("new"),
}

ACTOR_NAMES: dict[ActorKind, str] = {
    ActorKind.SYSTEM: mark("automatic"),
    ActorKind.STAFF: mark("staff"),
    ActorKind.CITIZEN: mark("citizen"),
}


def department_name(department: Department | None, language: str) -> str:
    """Return a department's name in the reader's language, "" for none."""
    if department is None:
        return ""
    return department.name_zh if language == "zh" and department.name_zh else department.name
