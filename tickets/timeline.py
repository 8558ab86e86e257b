"""What happened to a ticket, in words: for the staff, and for the citizen who follows it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from foundation.i18n import mark, say
from tickets.lifecycle import Confidentiality, EventKind, TicketKind, TicketState, Urgency

# for the staff; a sentence with a %(place)s is used only when its values are known, else the plain one below it
SENTENCES: dict[EventKind, str] = {
    EventKind.OPENED: mark("Ticket opened"),
    EventKind.APPENDED: mark("The citizen added to this ticket"),
    EventKind.DESCRIBED: mark("The caller said what the matter is"),
    EventKind.ACCEPTED: mark("Accepted by the hotline"),
    EventKind.ASSIGNED: mark("Dispatched"),
    EventKind.PROMISED: mark("A deadline was promised"),
    EventKind.CALLBACK_REQUESTED: mark("The citizen asked to be called back"),
    EventKind.CALL_ENDED: mark("The call ended"),
    EventKind.SIGNED: mark("The department confirmed that it is responsible"),
    EventKind.STARTED: mark("Work began"),
    EventKind.RETURNED: mark("The department returned it"),
    EventKind.ANSWERED: mark("The department answered"),
    EventKind.REVISIT_STARTED: mark("The revisit began: is it really solved?"),
    EventKind.REMINDED: mark("The department was reminded of its deadline"),
    EventKind.REDO_ORDERED: mark("Sent back to be done again"),
    EventKind.CLOSED: mark("Closed"),
}

DETAILED_SENTENCES: dict[EventKind, str] = {
    EventKind.ASSIGNED: mark("Dispatched to %(department)s"),
    EventKind.PROMISED: mark("Promised by %(promised_at)s"),
    EventKind.SIGNED: mark("%(department)s confirmed that it is responsible"),
    EventKind.STARTED: mark("%(department)s began to work on it"),
    EventKind.RETURNED: mark("%(department)s returned it"),
    EventKind.ANSWERED: mark("%(department)s answered"),
    EventKind.REMINDED: mark("%(department)s was reminded of its deadline"),
    EventKind.REDO_ORDERED: mark("Sent back to %(department)s to be done again"),
}

# for the citizen: what it means for them
PUBLIC_SENTENCES: dict[EventKind, str] = {
    EventKind.OPENED: mark("We received your report."),
    EventKind.APPENDED: mark("We received what you added."),
    EventKind.DESCRIBED: mark("We noted what you told us on the phone."),
    EventKind.ACCEPTED: mark("We accepted your report."),
    EventKind.ASSIGNED: mark("We passed it on to the department that is responsible."),
    EventKind.PROMISED: mark("We promised you an answer."),
    EventKind.CALLBACK_REQUESTED: mark("You asked us to call you back."),
    EventKind.SIGNED: mark("The department confirmed that it is responsible."),
    EventKind.STARTED: mark("The department began to work on it."),
    EventKind.ANSWERED: mark("The department answered."),
    EventKind.REVISIT_STARTED: mark("We are asking you whether the problem is really solved."),
    EventKind.REDO_ORDERED: mark("You told us that it is not solved, so the department must do it again."),
    EventKind.CLOSED: mark("We closed your report."),
}

DETAILED_PUBLIC_SENTENCES: dict[EventKind, str] = {
    EventKind.ASSIGNED: mark("We passed it on to %(department)s."),
    EventKind.PROMISED: mark("You will have an answer by %(promised_at)s."),
    EventKind.SIGNED: mark("%(department)s confirmed that it is responsible."),
    EventKind.STARTED: mark("%(department)s began to work on it."),
    EventKind.ANSWERED: mark("%(department)s answered."),
    EventKind.REDO_ORDERED: mark("You told us that it is not solved, so %(department)s must do it again."),
}

STATE_NAMES: dict[TicketState, str] = {
    TicketState.RECEIVED: mark("received"),
    TicketState.ACCEPTED: mark("accepted"),
    TicketState.DISPATCHED: mark("dispatched"),
    TicketState.SIGNED: mark("signed for"),
    TicketState.IN_PROGRESS: mark("in progress"),
    TicketState.ANSWERED: mark("answered"),
    TicketState.REVISIT: mark("revisit"),
    TicketState.RETURNED: mark("returned"),
    TicketState.REDO: mark("redo"),
    TicketState.CLOSED: mark("closed"),
}

# where the matter stands, said to the citizen; each one names who has the next step
PUBLIC_STATE_SENTENCES: dict[TicketState, str] = {
    TicketState.RECEIVED: mark("We have your report and are finding the department that is responsible. You need do nothing."),
    TicketState.ACCEPTED: mark("We accepted your report and are passing it on to the department that is responsible. You need do nothing."),
    TicketState.DISPATCHED: mark("The department has your report and will confirm that it is responsible. You need do nothing."),
    TicketState.SIGNED: mark("The department confirmed that your report is its matter and will begin soon. You need do nothing."),
    TicketState.IN_PROGRESS: mark("The department is working on it. You need do nothing."),
    TicketState.ANSWERED: mark("The department answered. We will ask you whether the problem is really solved."),
    TicketState.REVISIT: mark("We are asking you whether the problem is really solved. If we do not reach you, please call us."),
    TicketState.RETURNED: mark("We are finding out which department is responsible. You need do nothing."),
    TicketState.REDO: mark(
        "The problem is not solved yet, so the department is doing it again, with a shorter deadline. You need do nothing."
    ),
    TicketState.CLOSED: mark("Your report is closed. If the problem comes back, please tell us again."),
}

KIND_NAMES: dict[TicketKind, str] = {
    TicketKind.CONSULTATION: mark("enquiry"),
    TicketKind.REQUEST: mark("request for help"),
    TicketKind.COMPLAINT: mark("complaint"),
    TicketKind.REPORT: mark("report of wrongdoing"),
    TicketKind.SUGGESTION: mark("suggestion"),
    TicketKind.PRAISE: mark("praise"),
}

URGENCY_NAMES: dict[Urgency, str] = {
    Urgency.NORMAL: mark("normal"),
    Urgency.URGENT: mark("urgent"),
    Urgency.EMERGENCY: mark("emergency"),
}

CONFIDENTIALITY_NAMES: dict[Confidentiality, str] = {
    Confidentiality.NORMAL: mark("not secret"),
    Confidentiality.IDENTITY_HIDDEN: mark("identity kept from the department"),
    Confidentiality.SEALED: mark("sealed"),
}


class Happened(Protocol):
    """What the sentences need of a `TicketEvent`."""

    kind: EventKind
    data: dict[str, Any]


def describe_all(
    events: Iterable[Happened], language: str, *, departments: Mapping[str, str], moment: Callable[[datetime], str], public: bool = False
) -> list[str]:
    """Return the events of one ticket in words, one sentence each.

    events        oldest first: an event belongs to the department that the last dispatch before it named
    departments   names in the reader's language, by code
    moment        how the reader sees a moment
    public        the wording for the citizen
    """
    told, department = [], ""
    for event in events:
        if event.kind is EventKind.ASSIGNED:
            department = departments.get(event.data.get("department", ""), "")
        promised_at = event.data.get("promised_at")
        due = moment(datetime.fromisoformat(promised_at)) if promised_at else ""
        told.append(describe(event.kind, language, department=department, promised_at=due, public=public))
    return told


def describe(kind: EventKind, language: str, *, department: str = "", promised_at: str = "", public: bool = False) -> str:
    """Return one event in words.

    department, promised_at   in the reader's language; "" gives the sentence that does without
    public                    the wording for the citizen; the staff's for an event that citizens do not see
    """
    detailed, plain = (DETAILED_PUBLIC_SENTENCES, PUBLIC_SENTENCES) if public else (DETAILED_SENTENCES, SENTENCES)
    is_known = promised_at if kind is EventKind.PROMISED else department
    if kind in detailed and is_known:
        return say(language, detailed[kind], department=department, promised_at=promised_at)
    return say(language, plain.get(kind) or SENTENCES[kind])


def reason_in(language: str, reason: Any) -> str:
    """Return a stored reason in words: [English text, values], or a plain text."""
    if isinstance(reason, str):
        return say(language, reason) if reason else ""  # the catalogue answers "" with its own header
    text, values = reason[0], reason[1] if len(reason) > 1 else {}
    return say(language, text, **values)


def reasons_in(language: str, reasons: Sequence[Any]) -> list[str]:
    """Return stored reasons in words, in their order."""
    return [reason_in(language, reason) for reason in reasons]


def words_of(names: Mapping[Any, str], language: str) -> dict[str, str]:
    """Return a table of names in a language, by their stored word."""
    return {str(member): say(language, name) for member, name in names.items()}
