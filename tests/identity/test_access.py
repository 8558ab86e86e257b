"""Who may do what: the whole table, and what a ticket's facts take away from it."""

from __future__ import annotations

from itertools import product
from uuid import UUID

import pytest

from identity.access import (
    ANYONE,
    SYSTEM,
    Action,
    Actor,
    ActorKind,
    ForbiddenError,
    Role,
    TicketFacts,
    TicketScope,
    masked_address,
    masked_name,
    may,
    require,
    ticket_scope,
)

WATER, ROADS = UUID(int=1), UUID(int=2)
A, D, R, M, X = Role.AGENT, Role.DEPARTMENT, Role.REVISITOR, Role.MANAGER, Role.ADMINISTRATOR
PLAIN = TicketFacts(frozenset({WATER}))
HIDDEN = TicketFacts(frozenset({WATER}), identity_hidden=True)
SEALED = TicketFacts(frozenset({WATER}), security_level=2)
SEALED_AND_HIDDEN = TicketFacts(frozenset({WATER}), security_level=2, identity_hidden=True)
UNASSIGNED = TicketFacts(frozenset())

WHO_MAY = {
    Action.LIST_TICKETS: {A, D, R, M, X},
    Action.SEE_TICKET: {A, D, R, M, X},
    Action.SEE_CITIZEN_NAME: {A, D, R, M},
    Action.SEE_CITIZEN_ADDRESS: {A, R},
    Action.SEE_ATTENTION: {M, X},
    Action.RETRY_WORK: {X},
    Action.TRACK_TICKET: set(),
    Action.HANDLE_TICKET: {A, D, R, M},
}


def staff(role: Role | None, *, level: int = 0, department: UUID | None = None) -> Actor:
    return Actor(ActorKind.STAFF, UUID(int=7), role, department, level, "Li Hua")


def everybody(level: int) -> list[Actor]:
    """Return one account of each role; the department's is the water company."""
    return [staff(role, level=level, department=WATER if role is D else None) for role in Role]


def test_the_table_names_every_action() -> None:
    assert set(WHO_MAY) == set(Action)


@pytest.mark.parametrize(("role", "action"), list(product(Role, Action)))
def test_each_role_may_do_what_the_table_says_and_nothing_else(role: Role, action: Action) -> None:
    actor = staff(role, department=WATER)
    for ticket in (None, PLAIN):
        assert may(actor, action, ticket) is (role in WHO_MAY[action])


@pytest.mark.parametrize(("role", "action"), list(product(Role, Action)))
def test_nobody_of_a_lower_level_may_do_anything_with_a_sealed_ticket(role: Role, action: Action) -> None:
    for level, ticket in product((0, 1), (SEALED, SEALED_AND_HIDDEN)):
        assert not may(staff(role, level=level, department=WATER), action, ticket)
    assert may(staff(role, level=2, department=WATER), action, SEALED_AND_HIDDEN) is (role in WHO_MAY[action])


@pytest.mark.parametrize("action", list(Action))
def test_a_hidden_identity_is_seen_from_level_one_on_and_the_matter_by_all(action: Action) -> None:
    for level in (0, 1, 2):
        for actor in everybody(level):
            is_about_the_person = action in {Action.SEE_CITIZEN_NAME, Action.SEE_CITIZEN_ADDRESS}
            expected = actor.role in WHO_MAY[action] and (level >= 1 or not is_about_the_person)
            assert may(actor, action, HIDDEN) is expected


@pytest.mark.parametrize("action", list(Action))
def test_a_department_never_touches_what_others_handle(action: Action) -> None:
    for level in (0, 1, 2):
        roads = staff(D, level=level, department=ROADS)
        assert not may(roads, action, PLAIN)
        assert not may(roads, action, UNASSIGNED)
        assert may(roads, action, TicketFacts(frozenset({WATER, ROADS}))) is (D in WHO_MAY[action])


@pytest.mark.parametrize(("role", "action"), list(product([A, R, M, X], Action)))
def test_the_hotlines_own_people_see_the_tickets_of_all_departments(role: Role, action: Action) -> None:
    for ticket in (PLAIN, UNASSIGNED, TicketFacts(frozenset({ROADS}))):
        assert may(staff(role, department=WATER), action, ticket) is (role in WHO_MAY[action])


@pytest.mark.parametrize("ticket", [None, PLAIN, HIDDEN, SEALED, UNASSIGNED])
def test_a_citizen_may_track_and_nothing_else(ticket: TicketFacts | None) -> None:
    for actor in (ANYONE, Actor(ActorKind.CITIZEN, UUID(int=9)), Actor(ActorKind.CITIZEN, role=Role.ADMINISTRATOR, security_level=2)):
        assert [action for action in Action if may(actor, action, ticket)] == [Action.TRACK_TICKET]
        assert ticket_scope(actor).nothing


@pytest.mark.parametrize("ticket", [None, PLAIN, SEALED_AND_HIDDEN, UNASSIGNED])
def test_the_hotline_itself_may_do_everything(ticket: TicketFacts | None) -> None:
    assert all(may(SYSTEM, action, ticket) for action in Action)
    assert ticket_scope(SYSTEM) == TicketScope(security_level=2)


def test_an_account_without_a_role_may_do_nothing() -> None:
    nobody = staff(None, level=2, department=WATER)
    assert not any(may(nobody, action, ticket) for action in Action for ticket in (None, PLAIN))
    assert ticket_scope(nobody).nothing


def test_a_department_account_without_a_department_sees_no_ticket() -> None:
    lost = staff(D, level=2)
    assert ticket_scope(lost).nothing
    assert not any(may(lost, action, ticket) for action in Action for ticket in (PLAIN, UNASSIGNED, SEALED))


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_list_shows_exactly_the_tickets_that_may_be_seen_one_by_one(level: int) -> None:
    tickets = [PLAIN, HIDDEN, SEALED, SEALED_AND_HIDDEN, UNASSIGNED, TicketFacts(frozenset({ROADS}), security_level=1)]
    actors = [*everybody(level), staff(D, level=level, department=ROADS), staff(D, level=level), staff(None, level=level), ANYONE]
    for actor, ticket in product(actors, tickets):
        scope = ticket_scope(actor)
        is_listed = (
            not scope.nothing
            and ticket.security_level <= scope.security_level
            and (scope.department_id is None or scope.department_id in ticket.department_ids)
        )
        assert may(actor, Action.SEE_TICKET, ticket) is is_listed


def test_requiring_what_one_may_returns_and_what_one_may_not_raises() -> None:
    for role, action in product(Role, Action):
        actor = staff(role, department=WATER)
        if role in WHO_MAY[action]:
            require(actor, action, PLAIN)
        else:
            with pytest.raises(ForbiddenError, match=str(action)):
                require(actor, action, PLAIN)


def test_an_actor_stands_in_logs_without_a_name() -> None:
    assert staff(A).label == f"staff:{UUID(int=7)}"
    assert ANYONE.label == "citizen"
    assert SYSTEM.label == "system"


@pytest.mark.parametrize(
    ("name", "masked"),
    [("", ""), ("王", "王*"), ("王伟", "王*"), ("王建国", "王**"), ("John Smith", "J***"), ("🎉🎉", "🎉*")],
)
def test_a_masked_name_shows_its_first_sign(name: str, masked: str) -> None:
    assert masked_name(name) == masked


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("+8613800001111", "+8613******11"),
        ("wang.jianguo@example.com", "w***@example.com"),
        ("w@example.com", "w***@example.com"),
        ("12345", "***"),
        ("", "***"),
    ],
)
def test_a_masked_address_hides_whose_it_is(address: str, masked: str) -> None:
    assert masked_address(address) == masked
