"""[channels.email] in settings.toml."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from foundation.settings import Block, PositiveInt

# The password of the mail relay cannot be made up, so there is nothing that the demo could fill.
SECRET_FILES: tuple[str, ...] = ()

_MAILBOX = re.compile(r"[^@\s+<>\x00-\x1f]+@[^@\s<>\x00-\x1f]+")


class EmailSettings(Block):
    """Where letters come in, how much is taken, and how ours go out.

    host, port              where the door listens for SMTP: loopback, behind the city's mail server
    mailboxes               our addresses; hotline+anything@… reaches hotline@…; the first one writes letters
    max_bytes               largest letter, in bytes; a larger one is refused with 552
    max_sessions            SMTP sessions at once, all peers together
    max_sessions_per_peer   SMTP sessions at once from one address; loopback is exempt, because there it is
                            the city's own mail server that speaks for everybody
    idle_seconds            a session that says nothing for so long is closed
    deliver                 "console" writes our letters to var/console/email.jsonl, "smtp" sends them
    smtp_…                  the relay for our letters; user "" means that it asks for no password
    from_name               the name beside our address; "" for none
    parser_seconds          a letter that takes longer to read goes to a person
    parser_memory_mb        address space of the process that reads letters
    """

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8025
    mailboxes: list[str] = Field(default_factory=lambda: ["hotline@city.example"], min_length=1)
    max_bytes: PositiveInt = 26_214_400
    max_sessions: PositiveInt = 200
    max_sessions_per_peer: PositiveInt = 50
    idle_seconds: PositiveInt = 60
    deliver: Literal["console", "smtp"] = "console"
    smtp_host: str = ""
    smtp_port: Annotated[int, Field(gt=0, le=65535)] = 25
    smtp_user: str = ""
    smtp_password_file: str = "var/secrets/email_smtp_password"
    smtp_starttls: bool = False
    smtp_timeout_seconds: PositiveInt = 30
    from_name: str = ""
    parser_seconds: PositiveInt = 10
    parser_memory_mb: Annotated[int, Field(ge=128)] = 512

    @field_validator("mailboxes")
    @classmethod
    def _are_addresses(cls, value: list[str]) -> list[str]:
        for mailbox in value:
            if not _MAILBOX.fullmatch(mailbox):
                raise ValueError(f"{mailbox!r} is no mailbox; write it as hotline@city.example, without a plus part")
        return [mailbox.lower() for mailbox in value]
