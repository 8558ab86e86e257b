"""The life of a ticket: its states, what may follow what, and the events that tell of it. Pure."""

from __future__ import annotations

from enum import StrEnum


class TicketKind(StrEnum):
    CONSULTATION = "consultation"  # 咨询
    REQUEST = "request"  # 求助
    COMPLAINT = "complaint"  # 投诉
    REPORT = "report"  # 举报
    SUGGESTION = "suggestion"  # 建议
    PRAISE = "praise"  # 表扬


class Urgency(StrEnum):
    NORMAL = "normal"
    URGENT = "urgent"
    EMERGENCY = "emergency"


class Confidentiality(StrEnum):
    """How much is kept from the departments; the numbers are security levels of `identity.access`."""

    NORMAL = "normal"
    IDENTITY_HIDDEN = "identity_hidden"  # 保密: the department does not learn who it was
    SEALED = "sealed"

    @property
    def security_level(self) -> int:
        """Return the level a person needs to see the ticket at all."""
        return 2 if self is Confidentiality.SEALED else 0


class TicketState(StrEnum):
    RECEIVED = "received"
    ACCEPTED = "accepted"
    DISPATCHED = "dispatched"
    SIGNED = "signed"
    IN_PROGRESS = "in_progress"
    ANSWERED = "answered"
    REVISIT = "revisit"
    RETURNED = "returned"
    REDO = "redo"
    CLOSED = "closed"


class EventKind(StrEnum):
    """What happened to a ticket; each verb in `tickets.actions` writes exactly one of them per ticket."""

    OPENED = "opened"
    APPENDED = "appended"
    DESCRIBED = "described"  # a caller's first words: only now it is known what the matter is
    ACCEPTED = "accepted"
    ASSIGNED = "assigned"
    PROMISED = "promised"
    CALLBACK_REQUESTED = "callback_requested"
    CALL_ENDED = "call_ended"
    SIGNED = "signed"
    STARTED = "started"
    RETURNED = "returned"
    ANSWERED = "answered"
    REVISIT_STARTED = "revisit_started"
    REMINDED = "reminded"
    REDO_ORDERED = "redo_ordered"
    CLOSED = "closed"


# state before → verb's event → state after; a pair that is not here is refused
TRANSITIONS: dict[tuple[TicketState, EventKind], TicketState] = {
    (TicketState.RECEIVED, EventKind.ACCEPTED): TicketState.ACCEPTED,
    (TicketState.ACCEPTED, EventKind.ASSIGNED): TicketState.DISPATCHED,
    (TicketState.DISPATCHED, EventKind.ASSIGNED): TicketState.DISPATCHED,
    (TicketState.RETURNED, EventKind.ASSIGNED): TicketState.DISPATCHED,
    (TicketState.REDO, EventKind.ASSIGNED): TicketState.DISPATCHED,
    (TicketState.DISPATCHED, EventKind.SIGNED): TicketState.SIGNED,
    (TicketState.DISPATCHED, EventKind.RETURNED): TicketState.RETURNED,
    (TicketState.SIGNED, EventKind.RETURNED): TicketState.RETURNED,
    (TicketState.SIGNED, EventKind.STARTED): TicketState.IN_PROGRESS,
    (TicketState.SIGNED, EventKind.ANSWERED): TicketState.ANSWERED,
    (TicketState.IN_PROGRESS, EventKind.ANSWERED): TicketState.ANSWERED,
    (TicketState.ANSWERED, EventKind.REVISIT_STARTED): TicketState.REVISIT,
    (TicketState.ANSWERED, EventKind.REDO_ORDERED): TicketState.REDO,
    (TicketState.REVISIT, EventKind.REDO_ORDERED): TicketState.REDO,
    (TicketState.ANSWERED, EventKind.CLOSED): TicketState.CLOSED,
    (TicketState.REVISIT, EventKind.CLOSED): TicketState.CLOSED,
}

# events a citizen sees on the tracking page; the others are for the staff
PUBLIC_EVENTS = frozenset(
    {
        EventKind.OPENED,
        EventKind.APPENDED,
        EventKind.DESCRIBED,
        EventKind.ACCEPTED,
        EventKind.ASSIGNED,
        EventKind.PROMISED,
        EventKind.CALLBACK_REQUESTED,
        EventKind.SIGNED,
        EventKind.STARTED,
        EventKind.ANSWERED,
        EventKind.REVISIT_STARTED,
        EventKind.REDO_ORDERED,
        EventKind.CLOSED,
    }
)

OPEN_STATES = frozenset(TicketState) - {TicketState.CLOSED}


class NotNowError(Exception):
    """The ticket is not in a state that allows this; reload it to see what happened meanwhile."""


def state_after(state: TicketState, event: EventKind) -> TicketState:
    """Return the state that `event` leads to, or raise `NotNowError`."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise NotNowError(f"a ticket that is {state} cannot be {event}") from None
