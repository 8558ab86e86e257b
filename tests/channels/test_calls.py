from __future__ import annotations

from itertools import product

import pytest

from channels.calls import TRIES, Gather, Hangup, Heard, Office, Place, Redirect, Say, Stage, Step, contact_kind, next_steps, spelled
from channels.contract import ContactKind
from tests.channels.adapters.requests import outcome

OFFICE = Office("City of Example", "12345")
WORDS = "The lift is broken."


def spoken(steps: tuple[Step, ...]) -> str:
    texts = [
        [step.text] if isinstance(step, Say) else [said.text for said in step.says] if isinstance(step, Gather) else [] for step in steps
    ]
    return " ".join(text for group in texts for text in group)


def play(*turns: Heard, start: Place | None = None) -> tuple[list[ContactKind], str]:
    """Return the contacts of a whole call and the last words that the caller heard; every later turn is silence."""
    place, kinds, heard = start or Place(Stage.INCOMING), [], [*turns]
    can_call_back = turns[0].can_call_back if turns else True
    for _ in range(12):
        turn = heard.pop(0) if heard else Heard(can_call_back=can_call_back)
        kind = contact_kind(place, turn)
        steps = next_steps(place, turn, outcome(kind) if kind else None, OFFICE)
        kinds += [kind] if kind else []
        if isinstance(steps[-1], Hangup):
            return kinds, spoken(steps)
        assert isinstance(steps[-1], Redirect)
        place = steps[-1].to
    raise AssertionError("the call never ends")


def test_a_caller_is_told_who_answers_and_that_the_words_are_kept_before_being_asked() -> None:
    text = spoken(next_steps(Place(Stage.INCOMING), Heard(), outcome(), OFFICE))
    assert text == (
        "This is the citizen hotline 1, 2, 3, 4, 5 of City of Example. What you say is recorded in writing and kept with your ticket. "
        "Please tell us in one or two sentences what happened and where."
    )


def test_a_caller_who_says_the_matter_hears_the_ticket_number_digit_by_digit() -> None:
    text = spoken(next_steps(Place(Stage.WORDS), Heard(WORDS), outcome(ContactKind.CALL_WORDS), OFFICE))
    assert text == "Thank you. Your ticket number is 2, 4, 0, 0, 0, 1, 2, 3. Press 1 to be called back, or hang up."


def test_the_lookup_code_is_never_spoken() -> None:
    for stage, words in product(Stage, ("", WORDS)):
        steps = next_steps(Place(stage), Heard(words, digits="1"), outcome(ContactKind.CALL_WORDS), OFFICE)
        assert spelled("QX7KPM2H") not in spoken(steps)


def test_while_the_ticket_is_pending_the_receipt_number_is_spoken() -> None:
    text = spoken(next_steps(Place(Stage.WORDS), Heard(WORDS), outcome(ContactKind.CALL_WORDS, ticket_number=None), OFFICE))
    assert "Your receipt number is R, 7, 7." in text


def test_pressing_1_asks_for_a_callback_at_the_callers_number() -> None:
    kinds, last = play(Heard(), Heard(WORDS), Heard(digits="1"))
    assert kinds == [ContactKind.CALL, ContactKind.CALL_WORDS, ContactKind.CALL_BACK]
    assert last == "We will call you back at the number you are calling from. Goodbye."


def test_a_caller_who_said_the_matter_and_presses_nothing_is_not_called_back() -> None:
    kinds, last = play(Heard(), Heard(WORDS))
    assert kinds == [ContactKind.CALL, ContactKind.CALL_WORDS]
    assert last == "Thank you for calling. Goodbye."


def test_a_silent_caller_is_asked_once_more_and_can_then_tell() -> None:
    kinds, _ = play(Heard(), Heard(), Heard(WORDS))
    assert kinds == [ContactKind.CALL, ContactKind.CALL_WORDS]


def test_a_caller_who_cannot_be_heard_at_all_is_called_back() -> None:
    kinds, last = play(Heard())
    assert kinds == [ContactKind.CALL, ContactKind.CALL_BACK]
    assert "We will call you back" in last


def test_wrong_keys_twice_end_in_a_callback() -> None:
    kinds, last = play(Heard(), Heard(WORDS), Heard(digits="7"), Heard(digits="9"))
    assert kinds[-1] is ContactKind.CALL_BACK
    assert "We will call you back" in last


def test_one_wrong_key_only_repeats_the_offer() -> None:
    kinds, last = play(Heard(), Heard(WORDS), Heard(digits="7"))
    assert ContactKind.CALL_BACK not in kinds
    assert last == "Thank you for calling. Goodbye."


def test_a_caller_with_a_withheld_number_is_asked_for_one_and_hears_it_again() -> None:
    hidden = Heard(can_call_back=False)
    entered = Heard(can_call_back=False, digits="13800002222", entered_number="+8613800002222")
    kinds, last = play(hidden, Heard(WORDS, can_call_back=False), Heard(digits="1", can_call_back=False), entered)
    assert kinds == [ContactKind.CALL, ContactKind.CALL_WORDS, ContactKind.CALL_BACK]
    assert last == f"We will call you back at {spelled('+8613800002222')}. Goodbye."


def test_a_withheld_number_is_named_as_the_reason_for_asking() -> None:
    text = spoken(next_steps(Place(Stage.CALLBACK), Heard(digits="1", can_call_back=False), None, OFFICE))
    assert text == "Your number is withheld. Please enter the number that we should call, then press the hash key."


def test_an_incomplete_number_is_asked_for_once_more_and_then_the_caller_is_told_what_to_do() -> None:
    hidden, short = Heard(can_call_back=False), Heard(can_call_back=False, digits="138")
    kinds, last = play(hidden, Heard(WORDS, can_call_back=False), Heard(digits="1", can_call_back=False), short, short)
    assert ContactKind.CALL_BACK not in kinds
    assert "Please call again and let your number be shown." in last


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_turn_speaks_and_ends_in_a_redirect_or_a_hangup(language: str) -> None:
    heards = [Heard(s, d, c, n) for s, d, c, n in product(("", WORDS), ("", "1", "7"), (True, False), ("", "+8613800002222"))]
    for stage, attempt, unheard, heard, told in product(Stage, range(1, TRIES + 1), (False, True), heards, (None, outcome())):
        steps = next_steps(Place(stage, attempt, unheard, language), heard, told, OFFICE)
        assert spoken(steps)
        assert isinstance(steps[-1], Redirect | Hangup)
        assert not any(isinstance(step, Redirect | Hangup) for step in steps[:-1])


def test_the_rest_of_the_call_is_in_the_language_that_the_citizen_is_known_by() -> None:
    steps = next_steps(Place(Stage.INCOMING, language="en"), Heard(), outcome(language="zh"), OFFICE)
    assert isinstance(steps[-1], Redirect)
    assert steps[-1].to.language == "zh"


def test_a_language_that_nobody_here_speaks_leaves_the_call_in_its_own() -> None:
    steps = next_steps(Place(Stage.INCOMING, language="zh"), Heard(), outcome(language="fr"), OFFICE)
    assert isinstance(steps[-1], Redirect)
    assert steps[-1].to.language == "zh"
