"""Which department leads a matter and which ones help, with the reasons. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from foundation.i18n import Sentence, mark


@dataclass(frozen=True, slots=True)
class Matter:
    """What routing knows of a ticket; text and location in lower case."""

    text: str
    location: str
    kind: str
    category_code: str | None


@dataclass(frozen=True, slots=True)
class DepartmentFacts:
    """duties and areas: words in lower case."""

    code: str
    duties: tuple[str, ...]
    areas: tuple[str, ...]
    is_fallback: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the office's own rules; empty conditions match everything."""

    code: str
    position: int
    department: str
    kind: str | None = None
    category_code: str | None = None
    words: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    co_handlers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    lead: str
    co_handlers: tuple[str, ...]
    reasons: tuple[Sentence, ...]


class NoFallbackDepartmentError(Exception):
    """Nobody is responsible and no department is marked as fallback; import one with fallback = yes."""


def choose_route(matter: Matter, rules: Sequence[Rule], departments: Sequence[DepartmentFacts]) -> Route:
    """Return lead and co-handlers: the first rule that matches, else the department with most duties named, else the fallback."""
    for rule in sorted(rules, key=lambda rule: rule.position):
        hits = _hits(matter, rule)
        if hits is not None:
            reason = (mark("Rule %(rule)s matches: %(hits)s."), {"rule": rule.code, "hits": hits})
            return Route(rule.department, rule.co_handlers, (reason,))
    return _by_duties(matter, departments) or _fallback(departments)


def _hits(matter: Matter, rule: Rule) -> str | None:
    """Return what of the rule was met, in words; None when any condition is not."""
    if rule.kind not in (None, matter.kind) or rule.category_code not in (None, matter.category_code):
        return None
    word = _first_in(rule.words, matter.text)
    area = _first_in(rule.areas, f"{matter.location}\n{matter.text}")
    if (rule.words and word is None) or (rule.areas and area is None):
        return None
    met = [rule.category_code or "", rule.kind or "", word or "", area or ""]
    return ", ".join(part for part in met if part) or "*"


def _by_duties(matter: Matter, departments: Sequence[DepartmentFacts]) -> Route | None:
    """Return the department whose duties and area fit best."""
    place = f"{matter.location}\n{matter.text}"
    scored = []
    for department in departments:
        duties = [word for word in department.duties if word in matter.text]
        area = _first_in(department.areas, place)
        if duties and (area is not None or not department.areas):
            scored.append((sum(map(len, duties)) + (1 if area else 0), department.code, duties, area))
    if not scored:
        return None
    scored.sort(key=lambda line: (-line[0], line[1]))
    _, lead, duties, area = scored[0]
    reasons: list[Sentence] = [(mark("Its duties name: %(words)s."), {"words": ", ".join(duties)})]
    if area:
        reasons.append((mark("Its area is %(area)s."), {"area": area}))
    return Route(lead, (), tuple(reasons))


def _fallback(departments: Sequence[DepartmentFacts]) -> Route:
    fallback = next((department.code for department in departments if department.is_fallback), None)
    if fallback is None:
        raise NoFallbackDepartmentError
    return Route(fallback, (), ((mark("No rule and no department's duties match, so it goes to the fallback department."), {}),))


def _first_in(words: Sequence[str], text: str) -> str | None:
    return next((word for word in words if word in text), None)
