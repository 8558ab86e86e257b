"""One server process: HTTP, the mail door, the group writer and, unless told otherwise, the job runner."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import structlog
import uvicorn

from channels.adapters.email.door import EmailDoor, Letter
from foundation.database import Nudge
from foundation.groups import GroupWriter
from foundation.settings import SettingsError
from foundation.work import release_leases
from hotline.app import create_app
from hotline.letters import keep_letter
from hotline.migrations import require_head
from hotline.office import Office
from hotline.runner import Runner

# A door that has its commit answers at once: with the default of 5 ms the background's computing is added to each of its steps.
SWITCH_SECONDS = 0.0005

log = structlog.get_logger(__name__)


class PortTakenError(SettingsError):
    """Another program listens there already."""


@dataclass(frozen=True, slots=True)
class Serving:
    """Where the server listens: (host, port) of HTTP, and of the mail door when it is open."""

    http: tuple[str, int]
    smtp: tuple[str, int] | None
    runner: Runner | None


Play = Callable[[Serving], Awaitable[None]]


def serve(office: Office, *, with_jobs: bool = True, nudge: Nudge | None = None, play: Play | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C, then drain: no new contacts, those in hand are finished.

    nudge   tells the workers elsewhere that work is due, when the jobs are not done here
    play    runs once everything listens
    Raises  SettingsError when a port is taken or another server has the database
    """
    require_head(office.database.engine)
    with _only_server(office):
        _release_leftovers(office, with_jobs=with_jobs)
        server = _Server(office, with_jobs=with_jobs, nudge=nudge)
        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as loop:
            loop.run(server.run(play))


class _Server:
    def __init__(self, office: Office, *, with_jobs: bool, nudge: Nudge | None) -> None:
        self._office = office
        self._writer = GroupWriter(office.database, group_size=office.settings.work.group_size)
        self._runner = Runner(office) if with_jobs else None
        self.config = self._config()
        if nudge is not None:
            office.database.nudge = nudge

    async def run(self, play: Play | None) -> None:
        # What is loaded by now stays: the collector need not look at it again with every few hundred contacts.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)
        sys.setswitchinterval(SWITCH_SECONDS)
        listening = _listen(self._office.settings.server.host, self._office.settings.server.port)
        http = _Uvicorn(self.config)
        door = self._mail_door()
        smtp = await _opened(door) if door else None
        if self._runner:
            self._runner.start()
        address = listening.getsockname()[:2]
        log.info("serving", http=f"{address[0]}:{address[1]}", smtp=f"{smtp[0]}:{smtp[1]}" if smtp else None, jobs=self._runner is not None)
        playing = asyncio.create_task(_play_when_up(http, play, Serving(address, smtp, self._runner))) if play else None
        try:
            await http.serve(sockets=[listening])
        finally:
            await self._drain(door, playing)

    async def _drain(self, door: EmailDoor | None, playing: asyncio.Task[None] | None) -> None:
        log.info("draining")
        if playing and not playing.done():
            playing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await playing
        if door:
            await door.stop(self._office.settings.server.drain_seconds)
        await asyncio.to_thread(self._writer.close)
        if self._runner:
            await asyncio.to_thread(self._runner.stop)
        log.info("stopped")

    def _config(self) -> uvicorn.Config:
        app = create_app(self._office, self._writer, is_ready=lambda: self._runner is None or self._runner.is_alive)
        return uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=self._office.settings.server.drain_seconds,
        )

    def _mail_door(self) -> EmailDoor | None:
        if "email" not in self._office.doors.adapters:
            return None

        async def keep(letter: Letter) -> None:
            await asyncio.wrap_future(self._writer.submit(lambda session: keep_letter(session, letter)))

        return EmailDoor(self._office.doors.block("email"), keep)


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGTERM and Ctrl-C, and end with status 0: uvicorn itself would raise the signal again afterwards."""

        def stop(signal_number: int, frame: FrameType | None) -> None:
            self.handle_exit(signal_number, frame)

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


async def _opened(door: EmailDoor) -> tuple[str, int]:
    try:
        return await door.start()
    except OSError as error:
        raise PortTakenError(error.strerror) from None


async def _play_when_up(server: uvicorn.Server, play: Play, serving: Serving) -> None:
    while not server.started:  # noqa: ASYNC110 - uvicorn has a flag, no event
        await asyncio.sleep(0.02)
    try:
        await play(serving)
    except Exception:
        if server.should_exit:  # the doors were shut in the middle of the play
            return
        log.exception("demo_failed")


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise PortTakenError(
            f"{host}:{port} cannot be used ({error.strerror}): "
            "stop the program that listens there, or set [server] host and port in settings.toml"
        ) from None
    listening.listen(2048)
    return listening


@contextlib.contextmanager
def _only_server(office: Office) -> Iterator[None]:
    """Hold a SQLite database for this server alone: its job runner takes over whatever a killed one had claimed."""
    path = office.database.url.database if office.database.is_sqlite else None
    if not path:
        yield
        return
    with Path(f"{path}.lock").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SettingsError(f"another server is running on {path}; stop it first, or use PostgreSQL for several servers") from None
        yield


def _release_leftovers(office: Office, *, with_jobs: bool) -> None:
    """Release what an earlier server on this SQLite database had claimed when it was killed; it cannot be working any more."""
    if office.database.is_sqlite and with_jobs:
        with office.database.write() as session:
            released = release_leases(session)
        if released:
            log.info("leases_released", count=released)
