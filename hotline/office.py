"""One installation at work: settings, clock, database, doors. Every process is built from one of these."""

from __future__ import annotations

from dataclasses import dataclass, field

from channels.adapters.email.reading import ParserProcess
from channels.adapters.email.sending import signing_key
from channels.adapters.registry import Doors, open_doors
from foundation.clock import Clock, SystemClock
from foundation.database import Database
from foundation.settings import Settings, SettingsError
from hotline.reactions import REACTIONS
from tickets.actions.events import reaction_kind

SERVER_WORKER = "server"


@dataclass(slots=True)
class Office:
    settings: Settings
    clock: Clock
    database: Database
    doors: Doors
    parser: ParserProcess = field(repr=False)

    def close(self) -> None:
        self.parser.close()
        self.database.close()


def open_office(settings: Settings, clock: Clock | None = None) -> Office:
    """Return an installation that is ready to work. Raises SettingsError with the remedy."""
    if not settings.secret_key:
        raise SettingsError(
            f"[security] secret_key_file: the file {settings.security.secret_key_file} is missing; "
            'make one with: mkdir -p var/secrets && python3 -c "import secrets; print(secrets.token_urlsafe(32))" > '
            f"{settings.security.secret_key_file}"
        )
    used = clock or SystemClock()
    doors = open_doors(settings, used)
    database = Database(settings, used)
    database.idle_kinds = frozenset(reaction_kind(kind) for kind, reactions in REACTIONS.items() if not reactions)
    return Office(settings, used, database, doors, ParserProcess(doors.block("email"), key=signing_key(settings)))
