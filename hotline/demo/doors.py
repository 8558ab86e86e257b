"""The demo's citizens at the real doors: SMTP, signed webhooks, a web form, over sockets like anybody else."""

from __future__ import annotations

import asyncio
import smtplib
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

import httpx
from twilio.request_validator import RequestValidator

from hotline.demo.cast import Person
from hotline.office import Office
from hotline.serve import Serving

ACCOUNT = "AC" + "0" * 32
TIMEOUT_SECONDS = 15


class DoorClosedError(Exception):
    """A door did not take what the demo brought."""


@dataclass(slots=True)
class Street:
    """Where the citizens stand: they know the addresses of the doors, and the demo knows the providers' secrets."""

    office: Office
    serving: Serving
    _count: int = field(default=0)

    async def write_letter(self, person: Person, subject: str, text: str, *, answers: str = "", to: str = "") -> None:
        """Send a letter over SMTP.

        answers   Message-ID that it answers
        to        another recipient than the hotline's first mailbox: the address that a letter of ours asked to answer to
        """
        if self.serving.smtp is None:
            return
        letter = EmailMessage()
        letter["From"] = f"{person.name} <{person.email}>"
        letter["To"] = to or self.office.doors.block("email").mailboxes[0]
        letter["Subject"] = subject
        letter["Date"] = format_datetime(self._now())
        letter["Message-ID"] = f"<{self._next()}@example.com>"
        if answers:
            letter["In-Reply-To"] = answers
        letter.set_content(text + "\n")
        await asyncio.to_thread(self._deliver, letter)

    async def text(self, person: Person, words: str) -> None:
        """Send an SMS: Twilio's signed webhook."""
        form = {
            "MessageSid": f"SM{self._next():032d}",
            "AccountSid": ACCOUNT,
            "From": person.phone,
            "To": self.office.doors.block("twilio_sms").number,
            "Body": words,
            "NumMedia": "0",
            "FromCity": "",
        }
        await self._post_signed("/channels/twilio_sms/messages", form)

    async def call(self, person: Person, words: str, *, wants_callback: bool) -> None:
        """Call the hotline: ring, say what happened, perhaps press 1 to be called back, hang up."""
        call = {
            "CallSid": f"CA{self._next():032d}",
            "AccountSid": ACCOUNT,
            "From": person.phone,
            "To": self.office.doors.block("twilio_voice").number,
        }
        door = "/channels/twilio_voice"
        await self._post_signed(f"{door}/incoming", call | {"CallStatus": "ringing"})
        await self._post_signed(
            f"{door}/words?try=1&lang={person.language}", call | {"CallStatus": "in-progress", "SpeechResult": words, "Confidence": "0.93"}
        )
        if wants_callback:
            await self._post_signed(f"{door}/callback?try=1&lang={person.language}", call | {"CallStatus": "in-progress", "Digits": "1"})
        await self._post_signed(f"{door}/status", call | {"CallStatus": "completed", "CallDuration": "48"})

    async def chat(self, person: Person, words: str) -> None:
        """Write to the bot: a Telegram update with the webhook's secret."""
        number = self._next()
        update = {
            "update_id": number,
            "message": {
                "message_id": number,
                "date": int(self._now().timestamp()),
                "from": {"id": person.telegram_id, "is_bot": False, "first_name": person.name, "language_code": person.language},
                "chat": {"id": person.telegram_id, "type": "private", "first_name": person.name},
                "text": words,
            },
        }
        block = self.office.doors.block("telegram")
        secret = _first_line(block.secret_token_file)
        await self._post("/channels/telegram/updates", json=update, headers={"X-Telegram-Bot-Api-Secret-Token": secret})

    async def fill_form(self, person: Person, subject: str, words: str, kind: str) -> None:
        """Fill in the form on the web."""
        form = {
            "form_id": f"{self._next():032x}",
            "name": person.name,
            "phone": person.phone,
            "email": person.email,
            "kind": kind,
            "subject": subject,
            "text": words,
            "language": person.language,
        }
        await self._post("/channels/web/contacts", data=form)

    async def _post_signed(self, path: str, form: dict[str, str]) -> None:
        token = _first_line(self.office.doors.block("twilio_sms").auth_token_file)
        url = f"{self.office.settings.server.public_base_url.rstrip('/')}{path}"
        signature = RequestValidator(token).compute_signature(url, form)
        await self._post(path, data=form, headers={"X-Twilio-Signature": signature})

    async def _post(self, path: str, **request: object) -> None:
        host, port = self.serving.http
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            answer = await client.post(f"http://{host}:{port}{path}", **request)  # type: ignore[arg-type]
        if answer.status_code >= 400:
            raise DoorClosedError(f"{path} answered {answer.status_code}")

    def _deliver(self, letter: EmailMessage) -> None:
        assert self.serving.smtp is not None
        host, port = self.serving.smtp
        with smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS) as relay:
            relay.send_message(letter)

    def _now(self) -> datetime:
        return self.office.clock.now()

    def _next(self) -> int:
        self._count += 1
        return int(self._now().timestamp()) * 1000 + self._count


def _first_line(file: str) -> str:
    from pathlib import Path

    return Path(file).read_text(encoding="utf-8").split()[0]
