"""Telling the office that something needs a person."""

from __future__ import annotations

from datetime import timedelta

import structlog

from channels.contract import Address, AddressKind, Channel, Purpose
from channels.outbox import queue_message, sent_lately
from channels.queries import attention_count
from foundation.database import Session
from foundation.i18n import say

log = structlog.get_logger(__name__)


def raise_alarm(session: Session) -> None:
    """Log, and mail to [alarms] email at most once an interval, how much cannot go on without a person."""
    waiting = attention_count(session)
    if waiting == 0:
        return
    log.error("needs_a_person", count=waiting)
    settings = session.settings.alarms
    if not settings.email:
        return
    to = Address(AddressKind.EMAIL, settings.email)
    if sent_lately(session, to, Purpose.ALARM, timedelta(minutes=settings.every_minutes)):
        return
    language = session.settings.city.language
    text = say(
        language,
        "%(count)s contacts, messages or jobs cannot go on by themselves. Look at them: %(url)s",
        count=waiting,
        url=f"{session.settings.server.public_base_url}/attention",
    )
    subject = say(language, "The hotline needs a person")
    queue_message(session, channel=Channel.EMAIL, to=to, purpose=Purpose.ALARM, subject=subject, text=text, language=language)
