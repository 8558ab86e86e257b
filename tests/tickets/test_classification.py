"""What a matter is about, guessed from its words."""

from __future__ import annotations

import pytest

from foundation.settings import KIND_WORDS
from tickets.classification import CategoryFacts, Classification, classify
from tickets.lifecycle import TicketKind, Urgency

CATEGORIES = [
    CategoryFacts("water", ("water",)),
    CategoryFacts("burst", ("burst water pipe", "爆管"), TicketKind.REQUEST, Urgency.URGENT),
    CategoryFacts("noise", ("loud", "噪音"), TicketKind.COMPLAINT),
    CategoryFacts("pension", ("pension",), TicketKind.CONSULTATION),
    CategoryFacts("all", ()),
]


def classified(text: str, requested_kind: str = "") -> Classification:
    return classify(text, requested_kind=requested_kind, categories=CATEGORIES, kind_words=KIND_WORDS)


@pytest.mark.parametrize(
    ("text", "requested", "kind"),
    [
        ("Thank you for the new lamp, it is so bright at night", "", "praise"),
        ("表扬路灯所的师傅", "", "praise"),
        ("我要举报有人违法倾倒垃圾", "", "report"),
        ("I suggest a bench at the stop", "", "suggestion"),
        ("The NOISE is unbearable", "", "complaint"),
        ("请问怎么办理居住证", "", "consultation"),
        ("How do I get there?", "", "consultation"),
        ("Loud music next door", "", "complaint"),  # the category gives it
        ("My pension is too small", "", "consultation"),
        ("The lamp is dark", "", "request"),
        ("", "", "request"),
        ("Thank you", "complaint", "complaint"),  # what the citizen chose goes before every guess
        ("Thank you", "nonsense", "praise"),  # what is no kind was not chosen
        ("Thank you, but I complain about the noise", "", "praise"),  # the kinds are tried in the order of the settings
    ],
)
def test_the_kind_is_what_was_chosen_else_what_the_words_say_else_the_categorys(text: str, requested: str, kind: str) -> None:
    assert classified(text, requested).kind is TicketKind(kind)


@pytest.mark.parametrize(
    ("text", "category", "urgency"),
    [
        ("There is no water", "water", "normal"),
        ("A BURST WATER PIPE in our street", "burst", "urgent"),  # the longer word says more
        ("和平街爆管了", "burst", "urgent"),
        ("Nothing of the kind", None, "normal"),
        ("", None, "normal"),
    ],
)
def test_the_category_is_the_one_with_the_longest_word_in_the_text(text: str, category: str | None, urgency: str) -> None:
    found = classified(text)
    assert (found.category_code, found.urgency) == (category, Urgency(urgency))


def test_the_reasons_name_the_words_that_decided() -> None:
    found = classified("I complain: a burst water pipe!")
    assert [values for _, values in found.reasons] == [{"word": "complain"}, {"word": "burst water pipe", "category": "burst"}]


def test_a_kind_that_nobody_knows_in_the_settings_is_passed_over() -> None:
    found = classify("hello", requested_kind="", categories=[], kind_words={"greeting": ["hello"]})
    assert found.kind is TicketKind.REQUEST
