"""Commands that start something."""

from __future__ import annotations

import os
from pathlib import Path

import click

from hotline.cli import Reported, hotline


@hotline.command()
@click.option("--no-jobs", is_flag=True, help="Leave the jobs to Celery workers: hotline worker --beat.")
@click.pass_obj
def serve(settings_path: str | None, no_jobs: bool) -> None:
    """Start the server: web pages, webhooks, the mail door and the job runner."""
    from foundation.database import Nudge
    from foundation.logs import set_up_logs
    from foundation.settings import load_settings
    from hotline.office import open_office
    from hotline.serve import serve as run

    settings = load_settings(settings_path)
    set_up_logs(settings.server.log_level, settings.server.log_format)
    nudge: Nudge | None = None
    if no_jobs:
        _name_settings(settings_path)
        from hotline import worker as celery_worker

        nudge = celery_worker.nudge
    office = open_office(settings)
    try:
        run(office, with_jobs=not no_jobs, nudge=nudge)
    finally:
        office.close()


@hotline.command()
@click.option("--beat", is_flag=True, help="Also send the periodic sweeps; harmless when several workers do.")
@click.option("--concurrency", default=2, show_default=True, help="Worker processes.")
@click.pass_obj
def worker(settings_path: str | None, beat: bool, concurrency: int) -> None:
    """Start Celery workers that do the jobs, for servers that run with --no-jobs; needs [redis] url."""
    _name_settings(settings_path)
    from foundation.settings import load_settings

    options = ["worker", "--loglevel", load_settings(settings_path).server.log_level, "--concurrency", str(concurrency)]
    if beat:
        options += ["--beat", "--schedule", "var/celerybeat-schedule"]
    from hotline.worker import app

    app.worker_main(options)


@hotline.command()
@click.pass_obj
def demo(settings_path: str | None) -> None:
    """Start everything with invented citizens: prepares var/, plays their contacts in once, and goes on serving."""
    from foundation.logs import set_up_logs
    from foundation.settings import load_settings
    from hotline.demo import run_demo

    settings = load_settings(settings_path)
    set_up_logs("warning" if settings.server.log_level == "info" else settings.server.log_level, settings.server.log_format)
    run_demo(settings)


@hotline.command()
@click.option("--channel", type=click.Choice(["sms", "email", "telegram", "chat", "phone"]), default="sms", show_default=True)
@click.option("--from", "sender", required=True, metavar="ADDRESS", help="A phone number, mailbox or chat id.")
@click.option("--name", default="", help="How the person is called.")
@click.option("--subject", default="")
@click.argument("text")
@click.pass_obj
def contact(settings_path: str | None, channel: str, sender: str, name: str, subject: str, text: str) -> None:
    """Take a contact in by hand, with no provider: for trying out, or when a line is down."""
    from channels.adapters.console import console_contact
    from channels.contract import Channel
    from foundation.ids import new_id
    from hotline.cli.opened import opened_office
    from hotline.intake import take_by_hand

    with opened_office(settings_path) as office:
        inbound = console_contact(
            Channel(channel),
            sender,
            text,
            subject=subject,
            name=name,
            external_id_=str(new_id()),
            region=office.settings.city.phone_region,
        )
        outcome = take_by_hand(office, inbound)
    if outcome.ticket_number is None:
        raise Reported(f"kept with receipt {outcome.receipt}, but it stands on no ticket yet; see: hotline contacts")
    click.echo(outcome.ticket_number)


def _name_settings(settings_path: str | None) -> None:
    """Hand --settings on to Celery's processes, which read the environment."""
    if settings_path:
        os.environ["HOTLINE_SETTINGS"] = str(Path(settings_path).resolve())
