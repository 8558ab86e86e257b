"""What a matter is about, guessed from its words: kind, category, urgency. Pure; an agent may correct it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from foundation.i18n import Sentence, mark
from tickets.lifecycle import TicketKind, Urgency


@dataclass(frozen=True, slots=True)
class CategoryFacts:
    """A category as the rule sees it; `words` in lower case."""

    code: str
    words: tuple[str, ...]
    kind: TicketKind | None = None
    urgency: Urgency | None = None


@dataclass(frozen=True, slots=True)
class Classification:
    kind: TicketKind
    category_code: str | None
    urgency: Urgency
    reasons: tuple[Sentence, ...]


def classify(
    text: str, *, requested_kind: str, categories: Sequence[CategoryFacts], kind_words: Mapping[str, Sequence[str]]
) -> Classification:
    """Return kind, category and urgency of a matter, with the words that said so.

    requested_kind   what the citizen chose; it wins over every guess, "" when not asked
    kind_words       words that give a kind away, in the order in which the kinds are tried
    """
    lowered = text.casefold()
    category, word = _best_category(lowered, categories)
    kind, why = _kind(lowered, requested_kind, category, kind_words)
    reasons: list[Sentence] = [why]
    if category is not None:
        reasons.append((mark('The word "%(word)s" puts it into the category %(category)s.'), {"word": word, "category": category.code}))
    return Classification(kind, category.code if category else None, (category and category.urgency) or Urgency.NORMAL, tuple(reasons))


def _best_category(text: str, categories: Sequence[CategoryFacts]) -> tuple[CategoryFacts | None, str]:
    """Return the category with the longest word that stands in the text: a longer word says more."""
    found = [(len(word), category, word) for category in categories for word in category.words if word in text]
    if not found:
        return None, ""
    _, category, word = max(found, key=lambda hit: hit[0])
    return category, word


def _kind(
    text: str, requested: str, category: CategoryFacts | None, kind_words: Mapping[str, Sequence[str]]
) -> tuple[TicketKind, Sentence]:
    if requested in set(TicketKind):
        return TicketKind(requested), (mark("The citizen chose the kind."), {})
    for kind, words in kind_words.items():
        word = next((word for word in words if word in text), None)
        if word is not None and kind in set(TicketKind):
            return TicketKind(kind), (mark('The word "%(word)s" gives the kind away.'), {"word": word})
    if category is not None and category.kind is not None:
        return category.kind, (mark("The category gives the kind."), {})
    return TicketKind.REQUEST, (mark("Nothing gives the kind away, so it is a request."), {})
