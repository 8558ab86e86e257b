"""Who may do what. Every route and every query that shows a citizen's matter asks here, and nowhere else.

Pure: takes facts, returns a decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    AGENT = "agent"  # front desk: takes contacts, sees tickets of the normal level
    DEPARTMENT = "department"  # department staff: sees what their department leads or helps with
    REVISITOR = "revisitor"  # complaint office: calls back
    MANAGER = "manager"  # answers for promised deadlines
    ADMINISTRATOR = "administrator"  # runs the installation


class ActorKind(StrEnum):
    SYSTEM = "system"
    STAFF = "staff"
    CITIZEN = "citizen"


class Action(StrEnum):
    LIST_TICKETS = "list_tickets"
    SEE_TICKET = "see_ticket"
    SEE_CITIZEN_NAME = "see_citizen_name"
    SEE_CITIZEN_ADDRESS = "see_citizen_address"
    SEE_ATTENTION = "see_attention"
    RETRY_WORK = "retry_work"
    TRACK_TICKET = "track_ticket"
    HANDLE_TICKET = "handle_ticket"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `security_level` 0 sees normal matters, 1 also those with a hidden identity, 2 also sealed ones."""

    kind: ActorKind
    id: UUID | None = None
    role: Role | None = None
    department_id: UUID | None = None
    security_level: int = 0
    name: str = ""

    @property
    def label(self) -> str:
        """Return the actor for logs and audit: a kind and an id, never a name."""
        return f"{self.kind}:{self.id}" if self.id else str(self.kind)


SYSTEM = Actor(ActorKind.SYSTEM, security_level=2, name="system")
ANYONE = Actor(ActorKind.CITIZEN)


@dataclass(frozen=True, slots=True)
class TicketFacts:
    """What access depends on: who handles the ticket and how secret it is."""

    department_ids: frozenset[UUID]
    security_level: int = 0
    identity_hidden: bool = False


@dataclass(frozen=True, slots=True)
class TicketScope:
    """Which tickets an actor may see; queries turn it into a condition.

    department_id   only tickets that this department leads or helps with; None for all departments
    nothing         the actor may see no ticket at all
    """

    security_level: int
    department_id: UUID | None = None
    nothing: bool = False


_READ = frozenset({Action.LIST_TICKETS, Action.SEE_TICKET})
ALLOWED: dict[Role, frozenset[Action]] = {
    Role.AGENT: _READ | {Action.SEE_CITIZEN_NAME, Action.SEE_CITIZEN_ADDRESS, Action.HANDLE_TICKET},
    Role.DEPARTMENT: _READ | {Action.SEE_CITIZEN_NAME, Action.HANDLE_TICKET},
    Role.REVISITOR: _READ | {Action.SEE_CITIZEN_NAME, Action.SEE_CITIZEN_ADDRESS, Action.HANDLE_TICKET},
    Role.MANAGER: _READ | {Action.SEE_CITIZEN_NAME, Action.SEE_ATTENTION, Action.HANDLE_TICKET},
    Role.ADMINISTRATOR: _READ | {Action.SEE_ATTENTION, Action.RETRY_WORK},
}


class ForbiddenError(Exception):
    """You may not do this with your role. Ask a manager, or sign in with another account."""


def may(actor: Actor, action: Action, ticket: TicketFacts | None = None) -> bool:
    """Return whether `actor` may do `action`, on this ticket when one is given."""
    if actor.kind is ActorKind.SYSTEM:
        return True
    if actor.kind is ActorKind.CITIZEN:
        return action is Action.TRACK_TICKET
    if actor.role is None or action not in ALLOWED[actor.role]:
        return False
    if ticket is None:
        return True
    if not _is_in_scope(ticket_scope(actor), ticket):
        return False
    if action in {Action.SEE_CITIZEN_NAME, Action.SEE_CITIZEN_ADDRESS} and ticket.identity_hidden:
        return actor.security_level >= 1
    return True


def require(actor: Actor, action: Action, ticket: TicketFacts | None = None) -> None:
    """Return when `actor` may, else raise `ForbiddenError`."""
    if not may(actor, action, ticket):
        raise ForbiddenError(str(action))


def ticket_scope(actor: Actor) -> TicketScope:
    """Return which tickets `actor` may see."""
    if actor.kind is ActorKind.SYSTEM:
        return TicketScope(security_level=actor.security_level)
    if actor.kind is not ActorKind.STAFF or actor.role is None:
        return TicketScope(security_level=0, nothing=True)
    if actor.role is Role.DEPARTMENT:
        return TicketScope(actor.security_level, department_id=actor.department_id, nothing=actor.department_id is None)
    return TicketScope(actor.security_level)


def _is_in_scope(scope: TicketScope, ticket: TicketFacts) -> bool:
    if scope.nothing or ticket.security_level > scope.security_level:
        return False
    return scope.department_id is None or scope.department_id in ticket.department_ids


def masked_name(name: str) -> str:
    """Return a name as those see it who need not know it: the first character, then stars."""
    return name[:1] + "*" * min(max(len(name) - 1, 1), 3) if name else ""


def masked_address(value: str) -> str:
    """Return an address with its middle hidden: +8613******11, w***@example.com."""
    local, at, domain = value.partition("@")
    if at:
        return f"{local[:1]}***@{domain}"
    return f"{value[:5]}******{value[-2:]}" if len(value) > 8 else "***"
