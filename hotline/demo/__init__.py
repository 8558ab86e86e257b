"""Everything at once, with invented citizens: for a first look. It plays once, on an empty database."""

from __future__ import annotations

import secrets
from pathlib import Path

import click
from pydantic import BaseModel
from sqlmodel import func, select

from channels.adapters.registry import KINDS, channel_blocks
from foundation.clock import SetClock, SystemClock
from foundation.settings import Settings
from hotline.demo.doors import Street
from hotline.demo.story import Story
from hotline.demo.table import Table
from hotline.imports import import_file
from hotline.migrations import upgrade
from hotline.office import Office, open_office
from hotline.serve import Serving, serve
from identity.access import Role
from identity.actions import create_sign_in_link, create_staff
from identity.models import Department
from identity.queries import staff_by_username
from tickets.models import Ticket

DATA = Path(__file__).parent / "data"
FILES = ("departments.csv", "categories.csv", "rules.csv", "promises.csv")
ACCOUNT = "demo"


def run_demo(settings: Settings) -> None:
    """Prepare what is missing under var/, play the demo if there is no ticket yet, and serve until Ctrl-C."""
    _make_secrets(settings)
    upgrade(settings.database_url)
    clock = SetClock(SystemClock().now())
    clock.catch_up()
    office = open_office(settings, clock)
    try:
        is_empty = _is_empty(office)
        if is_empty:
            _import_data(office)
        serve(office, play=lambda serving: _play(office, clock, serving, is_empty=is_empty))
    finally:
        office.close()
    click.echo("\nThe hotline has stopped. Your data stay in var/; start again with: make run")


async def _play(office: Office, clock: SetClock, serving: Serving, *, is_empty: bool) -> None:
    if is_empty:
        click.echo("\nThe demo: some days at a hotline. Each contact comes in through its real door.\n")
        table = Table(office.database)
        table.show_head()
        try:
            await Story(Street(office, serving), clock, table).play()
        finally:
            clock.catch_up()
    _say_what_next(office, serving, played=is_empty)


def _say_what_next(office: Office, serving: Serving, *, played: bool) -> None:
    base = office.settings.server.public_base_url
    with office.database.write() as session:
        staff = staff_by_username(session, ACCOUNT)
        if staff is None and played:  # an installation that is somebody's own gets no account from here
            staff = create_staff(session, ACCOUNT, role=Role.MANAGER, name="Demo", security_level=1)
        page = f"{base}/sign-in/{create_sign_in_link(session, staff)}   (signs in once)" if staff else f"{base}/sign-in"
    with office.database.read() as session:
        ticket = session.exec(select(Ticket).order_by(Ticket.id)).first()  # type: ignore[arg-type]
    if not played:
        click.echo("\nThe database has tickets or departments already, so the demo is not played.")
    mailbox = office.doors.block("email").mailboxes[0]
    letter = f"to {mailbox} by SMTP at {serving.smtp[0]}:{serving.smtp[1]}" if serving.smtp else "not now: [channels.email] enabled = false"
    click.echo(f"""
What to open next
  the staff's ticket list    {page}
  report something           {base}/report
  follow a ticket            {base}/track   with number {ticket.number if ticket else "-"} and code {ticket.lookup_code if ticket else "-"}
  write a letter             {letter}
  in another terminal        .venv/bin/hotline tickets      .venv/bin/hotline channels      .venv/bin/hotline --help
  what is delivered          var/console/ (nothing leaves this machine)

Serving. Ctrl-C ends it; the data stay.""")


def _is_empty(office: Office) -> bool:
    with office.database.read() as session:
        has_own_departments = session.exec(select(func.count()).select_from(Department)).one() > 1
        return not has_own_departments and session.exec(select(func.count()).select_from(Ticket)).one() == 0


def _import_data(office: Office) -> None:
    with office.database.write() as session:
        for name in FILES:
            import_file(session, DATA / name, actor="system")


def _make_secrets(settings: Settings) -> None:
    """Write a random secret into each secret file that is missing; one that stands is never touched."""
    wanted = [settings.security.secret_key_file] if not settings.secret_key else []
    for name, block in channel_blocks(settings).items():
        wanted += [_file(block, field) for field in KINDS[name].secret_files]
    for path in (Path(file) for file in wanted if file):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            path.write_text(_secret_for(path.name) + "\n", encoding="utf-8")


def _file(block: BaseModel, field: str) -> str:
    return str(getattr(block, field))


def _secret_for(name: str) -> str:
    # A bot's token has its number in front, which the client reads.
    return f"1000000001:{secrets.token_urlsafe(26)}" if name == "telegram_token" else secrets.token_hex(24)
