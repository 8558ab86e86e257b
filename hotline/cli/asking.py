"""Commands that show how things stand, and retry what stands still."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import click

from hotline.cli import hotline


@hotline.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON line for each ticket.")
@click.option("--limit", type=click.IntRange(min=1), help="Only so many, the newest.")
@click.pass_obj
def tickets(settings_path: str | None, as_json: bool, limit: int | None) -> None:
    """List the tickets, newest first; citizens' names are masked."""
    from hotline.cli.opened import opened_database
    from hotline.listing import ticket_records

    with opened_database(settings_path) as database, database.read() as session:
        records = ticket_records(session, limit=limit)
    if as_json:
        for record in records:
            click.echo(json.dumps(_plain(record), ensure_ascii=False))
    elif not records:
        click.echo("No tickets yet. Start the server with: hotline serve, or see one at work with: hotline demo")
    else:
        from hotline.listing import ticket_table

        click.echo(ticket_table(records, database.settings.city.zone))


@hotline.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON line for each channel.")
@click.pass_obj
def channels(settings_path: str | None, as_json: bool) -> None:
    """List the doors: their address, where a provider must deliver, and whether they are well."""
    from foundation.settings import load_settings
    from hotline.listing import channel_records, failures_lately

    settings = load_settings(settings_path)
    for record in channel_records(settings, failures_lately(settings)):
        if as_json:
            click.echo(json.dumps(record, ensure_ascii=False))
        else:
            click.echo("{name:13} {kind:9} {health:8} {address}  <- {inbound}  {detail}".format(**record).rstrip())


@hotline.command()
@click.pass_obj
def calls(settings_path: str | None) -> None:
    """List the callbacks and revisits whose moment has come, the longest waiting first."""
    from followup.queries import call_list
    from hotline.cli.opened import opened_database
    from tickets.models import Ticket

    with opened_database(settings_path) as database, database.read() as session:
        due = [(session.get_one(Ticket, one.ticket_id).number, type(one).__name__.lower(), one.due_at) for one in call_list(session)]
        zone = database.settings.city.zone
    for number, kind, due_at in due:
        click.echo(f"{number}  {kind:9} since {due_at.astimezone(zone):%Y-%m-%d %H:%M}")
    if not due:
        click.echo("Nobody is to be called at this moment.")


@hotline.command()
@click.pass_obj
def check(settings_path: str | None) -> int:
    """Say what is wrong with this installation, with the remedy; the exit status is 1 when something is."""
    from hotline.check import findings

    found = findings(settings_path)
    for finding in found:
        click.echo(f"- {finding}")
    click.echo(f"{len(found)} found." if found else "Nothing is wrong.")
    return 1 if found else 0


@hotline.group(invoke_without_command=True)
@click.pass_context
def contacts(context: click.Context) -> None:
    """List contacts, messages and jobs that cannot go on by themselves, with the reason; `hotline contacts retry` tries contacts again."""
    if context.invoked_subcommand is not None:
        return
    from channels.queries import attention
    from hotline.cli.opened import opened_database

    with opened_database(context.obj) as database, database.read() as session:
        found = attention(session)
    for contact in found.contacts:
        at = f"{contact.received_at:%Y-%m-%d %H:%M}Z"
        click.echo(f"{contact.receipt}  {contact.state:8} {contact.adapter:13} {at}  {contact.reason or ''}")
    for raw in found.raw:
        at = f"{raw.received_at:%Y-%m-%d %H:%M}Z"
        click.echo(f"{raw.id.hex[-8:].upper()}  {raw.state:8} {raw.adapter:13} {at}  {raw.reason or ''}")
    for message in found.messages:
        click.echo(f"{message.id.hex[-8:].upper()}  {message.state:8} to {message.channel:10} {message.last_error or ''}")
    for work in found.work:
        click.echo(f"{work.id.hex[-8:].upper()}  {work.state:8} {work.kind:13} {work.last_error or ''}")
    if not (found.contacts or found.raw or found.messages or found.work):
        click.echo("Every contact stands on its ticket.")


@contacts.command("retry")
@click.pass_obj
def retry_command(settings_path: str | None) -> None:
    """Try every pending and dead contact again; a running server or worker does it within seconds."""
    from hotline.cli.opened import opened_database, who_runs_this
    from hotline.retrying import retry_contacts

    with opened_database(settings_path) as database, database.write() as session:
        planned = retry_contacts(session, actor=who_runs_this())
    click.echo(f"{planned} contacts will be tried again." if planned else "No contact waits for a retry.")


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    return {key: _moment(value) if isinstance(value, datetime) else value for key, value in record.items()}


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
