"""What happened to a ticket, in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tickets.lifecycle import EventKind
from tickets.timeline import describe, describe_all, reason_in


@dataclass
class Event:
    kind: EventKind
    data: dict[str, Any] = field(default_factory=dict)


STORY = [
    Event(EventKind.OPENED),
    Event(EventKind.ASSIGNED, {"department": "water"}),
    Event(EventKind.PROMISED, {"promised_at": "2026-03-09T09:30:00+00:00"}),
    Event(EventKind.RETURNED),
    Event(EventKind.ASSIGNED, {"department": "roads"}),
    Event(EventKind.ANSWERED),
]


def _told(*, public: bool = False, language: str = "en") -> list[str]:
    names = {"water": "Water", "roads": "Roads"}
    return describe_all(STORY, language, departments=names, moment=lambda moment: moment.strftime("%d %b"), public=public)


def test_an_event_belongs_to_the_department_that_had_the_ticket_then() -> None:
    assert _told() == [
        "Ticket opened",
        "Dispatched to Water",
        "Promised by 09 Mar",
        "Water returned it",
        "Dispatched to Roads",
        "Roads answered",
    ]


def test_the_citizen_reads_what_it_means_for_them() -> None:
    told = _told(public=True)
    assert told[1] == "We passed it on to Water."
    assert told[2] == "You will have an answer by 09 Mar."


def test_the_sentences_are_said_in_chinese() -> None:
    assert _told(language="zh")[1] == "派单至Water"


def test_a_department_that_is_gone_leaves_a_sentence_that_needs_no_name() -> None:
    assert describe_all([STORY[1]], "en", departments={}, moment=str) == ["Dispatched"]


def test_a_percent_sign_in_a_departments_name_does_no_harm() -> None:
    assert describe(EventKind.ASSIGNED, "en", department="100% Water %(x)s") == "Dispatched to 100% Water %(x)s"


def test_a_stored_reason_is_told_in_the_readers_language_with_its_values() -> None:
    assert reason_in("zh", ["Its area is %(area)s.", {"area": "城东"}]) == "属其辖区：城东。"


def test_a_reason_that_is_only_a_text_is_told_as_it_stands() -> None:
    assert reason_in("zh", "RuntimeError: 100% broken") == "RuntimeError: 100% broken"
    assert reason_in("zh", "") == ""
