"""What may follow what in the life of a ticket."""

from __future__ import annotations

from itertools import product

import pytest

from tickets.lifecycle import OPEN_STATES, PUBLIC_EVENTS, TRANSITIONS, Confidentiality, EventKind, NotNowError, TicketState, state_after

ALLOWED = [
    ("received", "accepted", "accepted"),
    ("accepted", "assigned", "dispatched"),
    ("dispatched", "assigned", "dispatched"),  # to another department, before anybody signed
    ("returned", "assigned", "dispatched"),
    ("redo", "assigned", "dispatched"),
    ("dispatched", "signed", "signed"),
    ("dispatched", "returned", "returned"),
    ("signed", "returned", "returned"),
    ("signed", "started", "in_progress"),
    ("signed", "answered", "answered"),
    ("in_progress", "answered", "answered"),
    ("answered", "revisit_started", "revisit"),
    ("answered", "redo_ordered", "redo"),
    ("revisit", "redo_ordered", "redo"),
    ("answered", "closed", "closed"),
    ("revisit", "closed", "closed"),
]


@pytest.mark.parametrize(("before", "event", "after"), ALLOWED)
def test_an_event_leads_to_its_state(before: str, event: str, after: str) -> None:
    assert state_after(TicketState(before), EventKind(event)) is TicketState(after)


def test_every_other_pair_is_refused_in_one_sentence() -> None:
    allowed = {(before, event) for before, event, _ in ALLOWED}
    refused = [pair for pair in product(TicketState, EventKind) if pair not in allowed]
    assert len(refused) == len(TicketState) * len(EventKind) - len(ALLOWED)
    for state, event in refused:
        with pytest.raises(NotNowError, match=f"a ticket that is {state} cannot be {event}"):
            state_after(state, event)


def test_nothing_follows_a_closed_ticket() -> None:
    assert [event for state, event in TRANSITIONS if state is TicketState.CLOSED] == []
    assert TicketState.CLOSED not in OPEN_STATES


def test_every_state_but_the_first_can_be_reached_and_every_one_but_the_last_left() -> None:
    assert {TicketState(after) for _, _, after in ALLOWED} == set(TicketState) - {TicketState.RECEIVED}
    assert {TicketState(before) for before, _, _ in ALLOWED} == OPEN_STATES


@pytest.mark.parametrize("event", ["returned", "reminded", "call_ended"])
def test_what_passes_between_the_offices_is_not_shown_to_the_citizen(event: str) -> None:
    assert EventKind(event) not in PUBLIC_EVENTS


def test_only_a_sealed_ticket_needs_a_level_to_be_seen_at_all() -> None:
    assert {word: word.security_level for word in Confidentiality} == {"normal": 0, "identity_hidden": 0, "sealed": 2}
