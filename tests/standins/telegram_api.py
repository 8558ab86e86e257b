"""A stand-in for the part of Telegram's Bot API that we call: sendMessage.

It refuses fields that the published list does not have (core.telegram.org/bots/api#sendmessage).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from tests.standins.loopback import Answer

MAX_TEXT = 4096
CHAT = re.compile(r"-?\d+|@\w{5,}")
BOOLEAN = re.compile(r"true|false", re.IGNORECASE)
ANYTHING = re.compile(r".*", re.DOTALL)

# The fields of sendMessage and the shape of each.
FIELDS = {
    "chat_id": CHAT,
    "text": ANYTHING,
    "business_connection_id": ANYTHING,
    "message_thread_id": re.compile(r"\d+"),
    "direct_messages_topic_id": re.compile(r"\d+"),
    "parse_mode": re.compile(r"MarkdownV2|Markdown|HTML"),
    "entities": re.compile(r"\[.*\]", re.DOTALL),
    "link_preview_options": re.compile(r"\{.*\}", re.DOTALL),
    "disable_notification": BOOLEAN,
    "protect_content": BOOLEAN,
    "allow_paid_broadcast": BOOLEAN,
    "message_effect_id": ANYTHING,
    "suggested_post_parameters": re.compile(r"\{.*\}", re.DOTALL),
    "reply_parameters": re.compile(r"\{.*\}", re.DOTALL),
    "reply_markup": re.compile(r"\{.*\}", re.DOTALL),
}


@dataclass
class TelegramApi:
    """Takes messages for one bot.

    answers   given one after the other instead of a message's creation; None lets one through
    """

    token: str
    messages: list[dict[str, str]] = field(default_factory=list)
    answers: list[Answer | None] = field(default_factory=list)

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if (method, path) != ("POST", f"/bot{self.token}/sendMessage"):
            return refusal(404, "Not Found")
        fields = dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True))
        for problem in problems(fields, headers.get("content-type", "")):
            return refusal(400, f"Bad Request: {problem}")
        planned = self.answers.pop(0) if self.answers else None
        self.messages.append(fields)
        return planned or self._sent(fields)

    def _sent(self, fields: dict[str, str]) -> Answer:
        message = {
            "message_id": len(self.messages),
            "date": 1732183200,
            "chat": {"id": int(fields["chat_id"]), "type": "private", "first_name": "Wang"},
            "from": {"id": 1, "is_bot": True, "first_name": "Hotline", "username": "city_example_bot"},
            "text": fields["text"],
        }
        return Answer(200, json.dumps({"ok": True, "result": message}).encode())


def problems(fields: dict[str, str], content_type: str) -> list[str]:
    """Return what is wrong with a sendMessage, in sentences."""
    found = [] if content_type.startswith("application/x-www-form-urlencoded") else [f"content type {content_type!r}"]
    found += [f"unknown field {name}" for name in fields if name not in FIELDS]
    found += [f"{name} is missing" for name in ("chat_id", "text") if not fields.get(name)]
    found += [f"{name} is malformed" for name, value in fields.items() if name in FIELDS and not FIELDS[name].fullmatch(value)]
    if len(fields.get("text", "").encode("utf-16-le")) // 2 > MAX_TEXT:
        found.append("message is too long")
    return found


def refusal(status: int, description: str, **parameters: int) -> Answer:
    """Return an error as Telegram writes it."""
    body: dict[str, object] = {"ok": False, "error_code": status, "description": description}
    if parameters:
        body["parameters"] = parameters
    return Answer(status, json.dumps(body).encode())
