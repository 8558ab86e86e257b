"""Some days at a hotline, in the order in which they happened: contacts, departments' work, callbacks, revisits.

The clock starts some working days ago and ends at the present, so that promises, revisits and a redo are all to be seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, datetime, time, timedelta

from sqlmodel import col, func, select

from channels.models import OutboxMessage
from followup.actions import complete_callback, record_answer
from followup.queries import open_callback, open_revisit
from foundation.calendars import DEFAULT_CALENDAR, calendar
from foundation.clock import SetClock, SystemClock
from foundation.database import Session
from foundation.models import DueWork, WorkState
from foundation.work import Lane
from hotline.demo import cast
from hotline.demo.doors import Street
from hotline.demo.table import Table
from identity.access import Actor, ActorKind, Role
from tickets import actions as tickets
from tickets.models import Ticket

STORY_DAYS = 5
SETTLE_SECONDS = 30


class Story:
    """Plays the demo through the doors of a running server."""

    def __init__(self, street: Street, clock: SetClock, table: Table) -> None:
        self._street = street
        self._clock = clock
        self._table = table
        self._days = self._working_days()

    async def play(self) -> None:
        await self._first_day()
        await self._second_day()
        await self._third_day()
        await self._today()
        self._clock.catch_up()

    # ── what happened ──

    async def _first_day(self) -> None:
        street = self._street
        await self._at(0, "09:10")
        await self._contact(
            street.write_letter(cast.WANG, "幸福路12号路灯不亮", "您好，幸福路12号门前的路灯从周一起就不亮了，晚上很黑，请尽快修理。谢谢。")
        )
        await self._at(0, "09:40")
        await self._contact(street.text(cast.LI, "和平街18号水管爆裂，水流到马路上了，请赶快派人来"))
        await self._at(0, "10:05")
        await self._contact(street.call(cast.ZHANG, "人民广场旁边的工地每天晚上施工，噪音很大，孩子睡不着", wants_callback=True))
        await self._at(0, "10:40")
        await self._staff(cast.ZHANG, self._call_back)
        await self._at(0, "11:30")
        await self._staff(cast.LI, self._sign)
        await self._at(0, "15:20")
        await self._staff(cast.LI, self._answer("抢修人员已到场，阀门已关闭，供水恢复。"))

    async def _second_day(self) -> None:
        street = self._street
        await self._at(1, "09:05")
        await self._staff(cast.WANG, self._sign)
        await self._at(1, "09:30")
        await self._contact(street.chat(cast.CHEN, "解放路与建设路路口有一个很大的坑洼，电动车容易摔倒"))
        await self._at(1, "10:00")
        await self._staff(cast.LI, self._revisit(is_solved=False, satisfaction=1, comment="马路上还在渗水"))
        await self._at(1, "10:20")
        await self._contact(street.text(cast.LI, "还在渗水，早上又积水了"))
        await self._at(1, "11:00")
        await self._staff(cast.LI, self._sign)
        await self._at(1, "16:10")
        await self._staff(cast.LI, self._answer("已更换破损管段并恢复路面，经检测无渗漏。"))

    async def _third_day(self) -> None:
        street = self._street
        await self._at(2, "09:15")
        await self._contact(
            street.fill_form(
                cast.ANNA,
                "Pension contributions from abroad",
                "Which documents do I need to have my pension contributions from abroad counted?",
                "consultation",
            )
        )
        await self._at(2, "09:40")
        await self._staff(cast.LI, self._revisit(is_solved=True, satisfaction=5, comment=""))
        await self._at(2, "10:10")
        await self._staff(cast.CHEN, self._sign)
        await self._at(2, "14:30")
        await self._staff(cast.ANNA, self._sign)
        await self._at(2, "15:00")
        await self._staff(cast.ANNA, self._answer("Please bring your passport and form E205 to counter 4; we count the years for you."))
        await self._at(2, "16:00")
        await self._staff(cast.CHEN, self._answer("坑洼已填补，路面恢复通行。"))
        await self._at(3, "09:20")
        asks = street.write_letter(cast.WANG, "Re: 幸福路12号路灯不亮", "请问什么时候可以修好？", answers=self._last_letter_to(cast.WANG))
        await self._contact(asks)

    async def _today(self) -> None:
        now = SystemClock().now()
        self._clock.set(now - timedelta(minutes=9))
        await self._settle()
        await self._contact(self._street.text(cast.ZHAO, "小区门口的路灯和井盖都坏了，晚上走路很危险"))
        self._clock.set(now - timedelta(minutes=5))
        await self._settle()
        await self._contact(self._street.call(cast.SUN, "楼上漏水，自来水公司的电话一直打不通", wants_callback=True))

    # ── how it is played ──

    async def _at(self, day: int, hour: str) -> None:
        zone = self._street.office.settings.city.zone
        self._clock.set(datetime.combine(self._days[day], time.fromisoformat(hour), zone))
        await self._settle()

    async def _contact(self, contact: Awaitable[None]) -> None:
        before = self._newest()
        await contact
        await self._settle()
        self._table.show_newest(after=before)

    async def _staff(self, person: cast.Person, act: Callable[[Session, Ticket], None]) -> None:
        with self._street.office.database.write() as session:
            ticket = self._ticket_of(session, person)
            if ticket is not None:
                act(session, ticket)
        await self._settle()

    async def _settle(self) -> None:
        """Wait until everything that is due at the clock's moment is done."""
        if self._street.serving.runner:
            self._street.serving.runner.nudge(frozenset(Lane))
        for _ in range(SETTLE_SECONDS * 50):
            if not await asyncio.to_thread(self._has_due_work):
                return
            await asyncio.sleep(0.02)

    def _has_due_work(self) -> bool:
        with self._street.office.database.read() as session:
            due = select(func.count()).select_from(DueWork).where(col(DueWork.state) != WorkState.DEAD, col(DueWork.due_at) <= session.now)
            return session.exec(due).one() > 0

    def _newest(self) -> datetime | None:
        with self._street.office.database.read() as session:
            return session.exec(select(func.max(col(Ticket.opened_at)))).one()

    def _ticket_of(self, session: Session, person: cast.Person) -> Ticket | None:
        address = person.email if person.email and not person.phone else person.phone or str(person.telegram_id)
        return session.exec(select(Ticket).where(col(Ticket.reply_to) == address).order_by(col(Ticket.id).desc())).first()

    def _last_letter_to(self, person: cast.Person) -> str:
        with self._street.office.database.read() as session:
            sent = select(OutboxMessage.message_id).where(col(OutboxMessage.to_value) == person.email)
            return session.exec(sent.order_by(col(OutboxMessage.id).desc())).first() or ""

    def _working_days(self) -> list[date]:
        """Return the last working days before today, oldest first."""
        with self._street.office.database.read() as session:
            hours = calendar(session, DEFAULT_CALENDAR)
        day = SystemClock().now().astimezone(hours.zone).date()
        days: list[date] = []
        while len(days) < STORY_DAYS:
            day -= timedelta(days=1)
            if hours.is_workday(day):
                days.insert(0, day)
        return days

    # ── what the departments and the complaint office do ──

    @staticmethod
    def _sign(session: Session, ticket: Ticket) -> None:
        tickets.sign(session, ticket, actor=_staff_of(ticket))

    @staticmethod
    def _answer(text: str) -> Callable[[Session, Ticket], None]:
        return lambda session, ticket: _ignore(tickets.answer(session, ticket, text=text, actor=_staff_of(ticket)))

    @staticmethod
    def _revisit(*, is_solved: bool, satisfaction: int, comment: str) -> Callable[[Session, Ticket], None]:
        def ask(session: Session, ticket: Ticket) -> None:
            revisit = open_revisit(session, ticket.id)
            if revisit is not None:
                record_answer(session, revisit, is_solved=is_solved, satisfaction=satisfaction, comment=comment)

        return ask

    @staticmethod
    def _call_back(session: Session, ticket: Ticket) -> None:
        callback = open_callback(session, ticket.id)
        if callback is not None:
            complete_callback(session, callback)


def _staff_of(ticket: Ticket) -> Actor:
    """Return somebody of the department that leads the ticket."""
    return Actor(ActorKind.STAFF, None, Role.DEPARTMENT, ticket.lead_department_id, security_level=0, name="")


def _ignore(_result: object) -> None:
    return None
