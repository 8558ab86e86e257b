"""Which department leads a matter, which ones help, and why."""

from __future__ import annotations

import pytest

from routing.rules import DepartmentFacts, Matter, NoFallbackDepartmentError, Route, Rule, choose_route

HOTLINE = DepartmentFacts("hotline", (), (), is_fallback=True)
LIGHTING = DepartmentFacts("lighting", ("street lamp", "lamp", "路灯"), (), is_fallback=False)
ROADS = DepartmentFacts("roads", ("pothole", "road"), (), is_fallback=False)
EAST = DepartmentFacts("east", ("rubbish",), ("east district", "东城"), is_fallback=False)
WEST = DepartmentFacts("west", ("rubbish",), ("west district", "西城"), is_fallback=False)
ALL = [HOTLINE, LIGHTING, ROADS, EAST, WEST]


def matter(text: str = "", *, location: str = "", kind: str = "request", category: str | None = None) -> Matter:
    return Matter(text, location, kind, category)


def route(matter: Matter, *rules: Rule) -> Route:
    return choose_route(matter, rules, ALL)


@pytest.mark.parametrize(
    ("rule", "hits"),
    [
        (Rule("r", 1, "roads"), "*"),  # no condition matches everything
        (Rule("r", 1, "roads", kind="complaint"), "complaint"),
        (Rule("r", 1, "roads", category_code="noise"), "noise"),
        (Rule("r", 1, "roads", words=("lamp", "night")), "night"),
        (Rule("r", 1, "roads", areas=("harbour",)), "harbour"),  # in the location
        (Rule("r", 1, "roads", areas=("station",)), "station"),  # in the text
        (Rule("r", 1, "roads", kind="complaint", category_code="noise", words=("night",)), "noise, complaint, night"),
    ],
)
def test_a_rule_whose_every_condition_is_met_decides_and_says_what_was_met(rule: Rule, hits: str) -> None:
    found = route(matter("noise at night near the station", location="harbour 5", kind="complaint", category="noise"), rule)
    assert found.lead == "roads"
    assert found.reasons == (("Rule %(rule)s matches: %(hits)s.", {"rule": "r", "hits": hits}),)


@pytest.mark.parametrize(
    "rule",
    [
        Rule("r", 1, "roads", kind="praise"),
        Rule("r", 1, "roads", category_code="lamp"),
        Rule("r", 1, "roads", words=("morning",)),
        Rule("r", 1, "roads", areas=("airport",)),
        Rule("r", 1, "roads", kind="complaint", words=("morning",)),
        Rule("r", 1, "roads", words=("night",), areas=("airport",)),
    ],
)
def test_one_condition_that_is_not_met_is_enough_to_pass_a_rule_over(rule: Rule) -> None:
    assert route(matter("noise at night", location="harbour", kind="complaint", category="noise"), rule).lead == "hotline"


def test_the_rule_with_the_lowest_position_is_tried_first() -> None:
    second, first = Rule("second", 20, "roads"), Rule("first", 10, "lighting")
    assert route(matter("anything"), second, first).lead == "lighting"


def test_a_rule_goes_before_duties_and_names_those_who_help() -> None:
    found = route(matter("a street lamp fell on the road"), Rule("r", 1, "roads", words=("fell",), co_handlers=("lighting", "east")))
    assert (found.lead, found.co_handlers) == ("roads", ("lighting", "east"))


@pytest.mark.parametrize(
    ("text", "location", "lead"),
    [
        ("the street lamp is dark", "", "lighting"),
        ("门口的路灯不亮", "", "lighting"),
        ("a pothole under the lamp", "", "roads"),  # the longer words say more
        ("rubbish", "5 east district", "east"),
        ("rubbish in the west district", "", "west"),
        ("rubbish", "", "hotline"),  # two areas have it, neither is named
        ("east district", "", "hotline"),  # an area alone is no duty
        ("nothing of the kind", "", "hotline"),
        ("", "", "hotline"),
    ],
)
def test_without_a_rule_the_duties_decide_within_their_area_and_else_the_fallback(text: str, location: str, lead: str) -> None:
    assert route(matter(text, location=location)).lead == lead


def test_duties_and_area_are_named_as_reasons() -> None:
    found = route(matter("rubbish", location="东城"))
    assert [values for _, values in found.reasons] == [{"words": "rubbish"}, {"area": "东城"}]


def test_the_fallback_says_that_nobody_else_was_found() -> None:
    assert "fallback" in route(matter("x")).reasons[0][0]


def test_departments_of_equal_weight_always_give_the_same_answer() -> None:
    twins = [DepartmentFacts(code, ("lamp",), (), is_fallback=False) for code in ("b", "a")]
    assert {choose_route(matter("lamp"), [], order).lead for order in (twins, twins[::-1])} == {"a"}


def test_without_a_fallback_nobody_is_made_up() -> None:
    with pytest.raises(NoFallbackDepartmentError):
        choose_route(matter("x"), [], [LIGHTING])
