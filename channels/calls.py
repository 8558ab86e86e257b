"""How a call goes: what the caller hears next, and what of it is a contact. Pure; each phone adapter renders the steps.

There is no menu. The caller says what the matter is, hears the ticket number, and may ask to be called back.
Silence and wrong keys never end in a dead line: the caller is asked once more, then a callback is offered, and
whoever could not be heard at all is called back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from channels.contract import ContactKind, Outcome
from foundation.i18n import LANGUAGES, say

TRIES = 2  # each question is asked so often
CALL_ME_BACK = "1"
LISTEN_SECONDS = 8  # for the first word or key
ENTER_NUMBER_SECONDS = 15


# ── what an adapter is told to do, in order ──


@dataclass(frozen=True, slots=True)
class Say:
    """Speak the text."""

    text: str


@dataclass(frozen=True, slots=True)
class Gather:
    """Speak `says` while listening; what was heard goes to `leads_to`. Silence goes on with the next step.

    timeout_seconds   until the first word or key
    max_digits        None: as many as come before the hash key
    """

    says: tuple[Say, ...]
    leads_to: Place
    listens_for: Literal["speech", "digits"]
    timeout_seconds: int = LISTEN_SECONDS
    max_digits: int | None = None


@dataclass(frozen=True, slots=True)
class Redirect:
    """Go on at another place."""

    to: Place


@dataclass(frozen=True, slots=True)
class Hangup:
    """End the call."""


Step = Say | Gather | Redirect | Hangup


# ── where a call stands ──


class Stage(StrEnum):
    INCOMING = "incoming"  # the line is open
    WORDS = "words"  # asked what the matter is
    CALLBACK = "callback"  # offered a callback
    NUMBER = "number"  # asked for the number to call, because the caller's is withheld


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the flow a request of the provider stands. An adapter carries it in the URL of the next request.

    attempt   how often the question of this stage has been asked
    unheard   the caller has said nothing that could be written down
    """

    stage: Stage
    attempt: int = 1
    unheard: bool = False
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Heard:
    """What came with the request.

    can_call_back    the caller's number is shown
    entered_number   the number that the caller typed, in E.164; "" for none or a wrong one
    """

    speech: str = ""
    digits: str = ""
    can_call_back: bool = True
    entered_number: str = ""


@dataclass(frozen=True, slots=True)
class Office:
    """Who answers the telephone."""

    city: str
    hotline_number: str


def contact_kind(place: Place, heard: Heard) -> ContactKind | None:
    """Return what kind of contact this step of the call is; None for silence, a wrong key, a question asked again."""
    if place.stage is Stage.INCOMING:
        return ContactKind.CALL
    if place.stage is Stage.WORDS:
        return ContactKind.CALL_WORDS if heard.speech else None
    if place.stage is Stage.CALLBACK:
        return ContactKind.CALL_BACK if _wants_callback(place, heard) and heard.can_call_back else None
    return ContactKind.CALL_BACK if heard.entered_number else None


def next_steps(place: Place, heard: Heard, outcome: Outcome | None, office: Office) -> tuple[Step, ...]:
    """Return what the caller hears next; the last step is always a Redirect or a Hangup.

    outcome   of the contact in this step; None when the step made none
    """
    place = replace(place, language=spoken_language(place, outcome))
    if place.stage is Stage.INCOMING:
        return _greet(place, office)
    if place.stage is Stage.WORDS:
        return _confirm(place, outcome) if heard.speech else _ask_again_or_offer(place)
    if place.stage is Stage.CALLBACK:
        return _promise_callback(place, heard) if _wants_callback(place, heard) else _offer_again_or_end(place)
    return _promise_number(place, heard)


def spoken_language(place: Place, outcome: Outcome | None) -> str:
    """Return the language to speak: the citizen's own once it is known, else the one that the call has had so far."""
    return outcome.language if outcome is not None and outcome.language in LANGUAGES else place.language


def spelled(number: str) -> str:
    """Return a number as it is read aloud: one character after the other."""
    return ", ".join(character for character in number if character.isalnum())


# ── the turns of the conversation ──


def _greet(place: Place, office: Office) -> tuple[Step, ...]:
    hello = say(
        place.language, "This is the citizen hotline %(number)s of %(city)s.", number=spelled(office.hotline_number), city=office.city
    )
    notice = say(place.language, "What you say is recorded in writing and kept with your ticket.")
    return _ask_for_words(place, 1, (hello, notice, _question(place)))


def _ask_again_or_offer(place: Place) -> tuple[Step, ...]:
    if place.attempt < TRIES:
        return _ask_for_words(place, place.attempt + 1, (say(place.language, "We could not hear you."), _question(place)))
    silent = replace(place, unheard=True)
    return _offer_callback(silent, 1, (say(place.language, "We still could not hear you."), _offer(place)))


def _confirm(place: Place, outcome: Outcome | None) -> tuple[Step, ...]:
    heard = replace(place, unheard=False)
    return _offer_callback(heard, 1, (_taken(place, outcome), _offer(place)))


def _taken(place: Place, outcome: Outcome | None) -> str:
    if outcome is None:
        return say(place.language, "Thank you. We have written down what you said.")
    if outcome.ticket_number is None:
        return say(place.language, "Thank you. Your receipt number is %(number)s.", number=spelled(outcome.receipt))
    return say(place.language, "Thank you. Your ticket number is %(number)s.", number=spelled(outcome.ticket_number))


def _wants_callback(place: Place, heard: Heard) -> bool:
    if heard.digits == CALL_ME_BACK:
        return True
    # Whoever presses wrong keys twice, or could not be heard at all, needs a person.
    return place.attempt >= TRIES and (heard.digits != "" or place.unheard)


def _promise_callback(place: Place, heard: Heard) -> tuple[Step, ...]:
    if not heard.can_call_back:
        return _ask_for_number(place, 1, say(place.language, "Your number is withheld."))
    return Say(say(place.language, "We will call you back at the number you are calling from. Goodbye.")), Hangup()


def _offer_again_or_end(place: Place) -> tuple[Step, ...]:
    if place.attempt < TRIES:
        return _offer_callback(place, place.attempt + 1, (_offer(place),))
    return Say(say(place.language, "Thank you for calling. Goodbye.")), Hangup()


def _promise_number(place: Place, heard: Heard) -> tuple[Step, ...]:
    if heard.entered_number:
        text = say(place.language, "We will call you back at %(number)s. Goodbye.", number=spelled(heard.entered_number))
        return Say(text), Hangup()
    if place.attempt < TRIES:
        return _ask_for_number(place, place.attempt + 1, say(place.language, "That is not a complete telephone number."))
    return Say(say(place.language, "We have no number to call you at. Please call again and let your number be shown. Goodbye.")), Hangup()


# ── the three questions; silence leads to the same place as an answer ──


def _ask_for_words(place: Place, attempt: int, texts: tuple[str, ...]) -> tuple[Step, ...]:
    there = Place(Stage.WORDS, attempt, language=place.language)
    return Gather(_says(texts), there, listens_for="speech"), Redirect(there)


def _offer_callback(place: Place, attempt: int, texts: tuple[str, ...]) -> tuple[Step, ...]:
    there = Place(Stage.CALLBACK, attempt, unheard=place.unheard, language=place.language)
    return Gather(_says(texts), there, listens_for="digits", max_digits=1), Redirect(there)


def _ask_for_number(place: Place, attempt: int, reason: str) -> tuple[Step, ...]:
    there = Place(Stage.NUMBER, attempt, unheard=place.unheard, language=place.language)
    request = say(place.language, "Please enter the number that we should call, then press the hash key.")
    return Gather(_says((reason, request)), there, listens_for="digits", timeout_seconds=ENTER_NUMBER_SECONDS), Redirect(there)


def _question(place: Place) -> str:
    return say(place.language, "Please tell us in one or two sentences what happened and where.")


def _offer(place: Place) -> str:
    return say(place.language, "Press 1 to be called back, or hang up.")


def _says(texts: tuple[str, ...]) -> tuple[Say, ...]:
    return tuple(Say(text) for text in texts)
