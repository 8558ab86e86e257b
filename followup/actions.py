"""What the hotline does for a ticket by itself: acknowledge, remind, call back, revisit, act on the answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, text, update
from sqlmodel import col, select

from channels.contract import Address, AddressKind, Channel, Purpose
from channels.outbox import queue_message, sent_lately
from followup.models import OPEN as OPEN_SQL
from followup.models import Callback, Reminder, Revisit
from followup.planning import FollowUpState, callback_window, is_content, next_reminder_at, reminder_due_at, revisit_due_at
from foundation.calendars import DEFAULT_CALENDAR, calendar
from foundation.database import Session
from foundation.i18n import mark, say
from foundation.prepared import Prepared, store
from foundation.work import Lane, enqueue
from foundation.workdays import WorkCalendar
from identity.access import SYSTEM, Actor
from identity.queries import departments
from tickets import actions as tickets
from tickets.lifecycle import TicketState
from tickets.models import Ticket, TicketEvent
from tickets.queries import promise_span

CALLBACK_DUE = "callback_due"
REVISIT_DUE = "revisit_due"
REMINDER_DUE = "reminder_due"
OPEN = (FollowUpState.PLANNED, FollowUpState.DUE)
TOLD_AT_ONCE = frozenset({Channel.PHONE, Channel.WEB, Channel.VISIT})  # the number is given while the citizen is still there


class AlreadyAnsweredError(Exception):
    """This revisit was answered already, otherwise; open the ticket to see what the citizen said then."""


def acknowledge(session: Session, ticket: Ticket, event: TicketEvent) -> None:
    """Tell the citizen once that the contact arrived, on the channel that they used; never answer a machine."""
    to = Address(AddressKind(ticket.reply_kind), ticket.reply_to)
    if ticket.channel in TOLD_AT_ONCE or not to.is_known or event.data.get("is_machine"):
        return
    if sent_lately(session, to, Purpose.ACKNOWLEDGEMENT, timedelta(hours=1)) >= session.settings.followup.acknowledgements_per_hour:
        return
    text = say(
        ticket.language,
        "We have received your message. Its number is %(number)s, your code is %(code)s. See what becomes of it: %(url)s",
        number=ticket.number,
        code=ticket.lookup_code,
        url=f"{session.settings.server.public_base_url}/track",
    )
    _tell(session, ticket, Purpose.ACKNOWLEDGEMENT, text, in_reply_to=event.data.get("message_id", ""))


def tell_answer(session: Session, ticket: Ticket) -> None:
    """Send the department's answer to the citizen, on the channel that they used."""
    if ticket.channel in TOLD_AT_ONCE or not ticket.reply_to or not ticket.answer:
        return
    text = say(ticket.language, "Answer to your ticket %(number)s:\n\n%(answer)s", number=ticket.number, answer=ticket.answer)
    _tell(session, ticket, Purpose.ANSWER, text)


def watch_promise(session: Session, ticket: Ticket) -> None:
    """Plan the reminder of the lead department; a later promise replaces the reminder of an earlier one."""
    promise = promise_span(session, ticket)
    if promise is None:
        raise tickets.PromiseMissingError(ticket.number)
    promise_id, given_at, promised_at = promise
    _cancel(session, Reminder, ticket.id)
    due_at = reminder_due_at(given_at, promised_at, session.settings.followup.remind_at_percent, _calendar(session, ticket))
    _plan_reminder(session, ticket.id, promise_id, due_at)


def _plan_reminder(session: Session, ticket_id: UUID, promise_id: UUID, due_at: datetime) -> None:
    reminder = Reminder.plain(ticket_id=ticket_id, promise_id=promise_id, due_at=due_at)
    store(session, reminder)
    enqueue(session, REMINDER_DUE, lane=Lane.FOLLOWUP, subject_id=reminder.id, due_at=due_at)


def remind_department(session: Session, reminder_id: UUID) -> None:
    """Remind the lead department when its answer is still missing, and plan the next reminder: until it answers."""
    reminder = session.get(Reminder, reminder_id)
    if reminder is None or reminder.state is not FollowUpState.PLANNED:
        return
    ticket = session.get_one(Ticket, reminder.ticket_id)
    reminder.state = FollowUpState.DONE
    session.flush()
    if ticket.answered_at is not None or ticket.state is TicketState.CLOSED:
        return
    is_broken = ticket.promised_at is not None and ticket.promised_at <= session.now
    reason = mark("The promise was not kept.") if is_broken else mark("The promise runs out soon.")
    tickets.remind(session, ticket, actor=SYSTEM, reasons=[(reason, {})])
    if ticket.promised_at is not None:
        next_at = next_reminder_at(session.now, ticket.promised_at, _calendar(session, ticket))
        _plan_reminder(session, ticket.id, reminder.promise_id, next_at)
    lead = departments(session).get(ticket.lead_department_id) if ticket.lead_department_id else None
    if lead is not None and lead.email:
        text = say(
            session.settings.city.language,
            "Ticket %(number)s waits for your answer. It is promised by %(promised)s.",
            number=ticket.number,
            promised=ticket.promised_at.astimezone(session.settings.city.zone).strftime("%Y-%m-%d %H:%M") if ticket.promised_at else "",
        )
        queue_message(
            session,
            channel=Channel.EMAIL,
            to=Address(AddressKind.EMAIL, lead.email),
            purpose=Purpose.NOTICE,
            subject=ticket.number,
            text=text,
            language=session.settings.city.language,
            ticket_id=ticket.id,
            mailbox=ticket.mailbox,
        )


def plan_callback(session: Session, ticket: Ticket, event: TicketEvent) -> Callback | None:
    """Plan the call that the citizen asked for, within the promised window; a second wish changes nothing.

    None when there is no number to call.
    """
    number = str(event.data.get("number") or "")
    standing = session.exec(select(Callback).where(col(Callback.ticket_id) == ticket.id, col(Callback.state).in_(OPEN))).first()
    if standing is not None or not number:
        return standing
    hours = calendar(session, DEFAULT_CALENDAR)
    due_at, window_ends_at = callback_window(session.now, session.settings.followup.callback_window_hours, hours)
    callback = Callback(
        ticket_id=ticket.id,
        citizen_id=ticket.citizen_id,
        number=number,
        due_at=due_at,
        window_ends_at=window_ends_at,
        requested_at=session.now,
    )
    store(session, callback)
    enqueue(session, CALLBACK_DUE, lane=Lane.FOLLOWUP, subject_id=callback.id, due_at=due_at)
    return callback


def call_back_the_speechless(session: Session, ticket: Ticket, event: TicketEvent) -> None:
    """Plan a callback for a call that ended before anything was said: nobody knows yet what it was about."""
    if not event.data.get("was_described"):
        plan_callback(session, ticket, event)


def put_callback_on_list(session: Session, callback_id: UUID) -> None:
    """Put a callback on the call list, because its window begins."""
    session.execute(_open_now(Callback, callback_id))


def complete_callback(session: Session, callback: Callback) -> None:
    """Take a callback off the list, because the citizen was reached."""
    session.execute(
        update(Callback)
        .where(col(Callback.id) == callback.id, col(Callback.state).in_(OPEN))
        .values(state=FollowUpState.DONE)
        .execution_options(synchronize_session=False)
    )


def plan_revisit(session: Session, ticket: Ticket) -> Revisit:
    """Plan to ask the citizen whether it is solved, some working days after the answer."""
    standing = session.exec(select(Revisit).where(col(Revisit.ticket_id) == ticket.id, col(Revisit.state).in_(OPEN))).first()
    if standing is not None:
        return standing
    _cancel(session, Reminder, ticket.id)
    due_at = revisit_due_at(
        ticket.answered_at or session.now, session.settings.followup.revisit_after_working_days, calendar(session, DEFAULT_CALENDAR)
    )
    revisit = Revisit(ticket_id=ticket.id, citizen_id=ticket.citizen_id, due_at=due_at, planned_at=session.now)
    store(session, revisit)
    enqueue(session, REVISIT_DUE, lane=Lane.FOLLOWUP, subject_id=revisit.id, due_at=due_at)
    return revisit


def put_revisit_on_list(session: Session, revisit_id: UUID) -> None:
    """Put a revisit on the call list and the ticket into its revisit, because its day has come."""
    revisit = session.get(Revisit, revisit_id)
    if revisit is None or revisit.state is not FollowUpState.PLANNED:
        return
    ticket = session.get_one(Ticket, revisit.ticket_id)
    session.execute(_open_now(Revisit, revisit_id))
    if ticket.state is TicketState.ANSWERED:
        tickets.start_revisit(session, ticket, actor=SYSTEM)


def record_answer(
    session: Session, revisit: Revisit, *, is_solved: bool, satisfaction: int | None = None, comment: str = "", actor: Actor = SYSTEM
) -> None:
    """Store what the citizen said and act on it: content closes the ticket, anything else orders a redo by the same lead.

    satisfaction   1 (very dissatisfied) to 5 (very satisfied), None when not said
    The same answer again changes nothing; another one raises `AlreadyAnsweredError`.
    """
    if revisit.state is FollowUpState.DONE:
        if (revisit.is_solved, revisit.satisfaction) == (is_solved, satisfaction):
            return
        raise AlreadyAnsweredError
    revisit.state, revisit.answered_at = FollowUpState.DONE, session.now
    revisit.is_solved, revisit.satisfaction, revisit.comment = is_solved, satisfaction, comment or None
    session.add(revisit)
    session.flush()
    ticket = session.get_one(Ticket, revisit.ticket_id)
    if is_content(is_solved, satisfaction):
        tickets.close(session, ticket, actor=actor, reasons=[(mark("The citizen says that it is solved."), {})])
        return
    reason = mark("The citizen says that it is not solved.") if not is_solved else mark("The citizen is dissatisfied.")
    tickets.order_redo(session, ticket, actor=actor, reasons=[(reason, {})])


def _tell(session: Session, ticket: Ticket, purpose: Purpose, text: str, *, in_reply_to: str = "") -> None:
    queue_message(
        session,
        channel=ticket.channel,
        to=Address(AddressKind(ticket.reply_kind), ticket.reply_to),
        purpose=purpose,
        subject=f"[{ticket.number}] {ticket.subject}",
        text=text,
        language=ticket.language,
        ticket_id=ticket.id,
        mailbox=ticket.mailbox,
        reply_token=ticket.number,
        in_reply_to=[in_reply_to] if in_reply_to else [],
    )


def _calendar(session: Session, ticket: Ticket) -> WorkCalendar:
    lead = departments(session).get(ticket.lead_department_id) if ticket.lead_department_id else None
    return calendar(session, lead.calendar_code if lead else DEFAULT_CALENDAR)


def _cancel(session: Session, model: type[Callback] | type[Revisit] | type[Reminder], ticket_id: UUID) -> None:
    _cancel_open(model).run(session, {"of_ticket": ticket_id})


@cache
def _cancel_open(model: type[Callback] | type[Revisit] | type[Reminder]) -> Prepared:
    is_open = text(f"{model.__tablename__}.{OPEN_SQL}")
    standing = update(model).where(col(model.ticket_id) == bindparam("of_ticket"), is_open)
    return Prepared(standing.values(state=FollowUpState.CANCELLED))


def _open_now(model: type[Callback] | type[Revisit], row_id: UUID) -> Any:
    planned = update(model).where(col(model.id) == row_id, col(model.state) == FollowUpState.PLANNED)
    return planned.values(state=FollowUpState.DUE).execution_options(synchronize_session=False)
