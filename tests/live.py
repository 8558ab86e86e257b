"""Real server processes: started as a city starts them, spoken to through their doors, stopped or killed."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

from tests.servers import CHECKOUT

AUTH_TOKEN = "0" * 32
TELEGRAM_SECRET = "a-secret-word-of-the-tests"
MAILBOX = "hotline@city.example"
SMS_NUMBER = "+861012345000"
SMS_PATH = "/channels/twilio_sms/messages"
TELEGRAM_PATH = "/channels/telegram/updates"
WEB_PATH = "/channels/web/contacts"
FORM = "application/x-www-form-urlencoded"
START_SECONDS = 60.0
STOP_SECONDS = 60.0
ANSWER_SECONDS = 30.0
PAUSE_SECONDS = 0.02

HOTLINE = ("-c", "import sys; from hotline.cli import main; sys.exit(main())")

Values = Mapping[str, Any]


class NotInTimeError(AssertionError):
    """What was waited for has not happened."""


def wait_until(claim: Callable[[], bool], what: str, *, seconds: float = 60.0) -> None:
    """Return once `claim` is true. Raises NotInTimeError, which names `what`."""
    give_up_at = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > give_up_at:
            raise NotInTimeError(f"not within {seconds:g} seconds: {what}")
        time.sleep(PAUSE_SECONDS)


# ── an installation and its processes ──


@dataclass(frozen=True, slots=True)
class Installation:
    """One server's settings and folder; it comes back to the same ports after it was killed.

    folder       holds the settings and secrets; the server's working folder, so that var/console lies in it
    public_url   what Twilio calls and signs; several servers behind one address share it
    """

    folder: Path
    http_port: int
    smtp_port: int
    public_url: str

    @property
    def settings_file(self) -> Path:
        return self.folder / "settings.toml"

    def start(self, *, jobs: bool = True, program: Sequence[str] = HOTLINE) -> Server:
        """Start `hotline serve` and return once it is ready."""
        server = Server(self, _start(self, program, "serve", *(() if jobs else ("--no-jobs",)), log="server.log"))
        try:
            server.wait_until_ready()
        except BaseException:
            server.kill()
            raise
        return server

    def start_worker(self, *, concurrency: int = 2) -> Process:
        """Start `hotline worker --beat`; it leads a process group of its own."""
        return Process(
            _start(self, HOTLINE, "worker", "--beat", "--concurrency", str(concurrency), log="worker.log"), self.folder / "worker.log"
        )


def install(folder: Path, database_url: str, *, public_url: str = "", settings: Mapping[str, Values] | None = None) -> Installation:
    """Write settings with all five doors open, and return the installation; its database is migrated already.

    settings   blocks by name, such as {"work": {"lease_seconds": 6}}; they add to those written here
    """
    folder.mkdir(parents=True, exist_ok=True)
    http_port, smtp_port = _free_ports(2)
    made = Installation(folder, http_port, smtp_port, public_url or f"http://127.0.0.1:{http_port}")
    blocks = _blocks(made, database_url)
    for name, values in (settings or {}).items():
        blocks[name] = {**blocks.get(name, {}), **values}
    made.settings_file.write_text(_toml(blocks), encoding="utf-8")
    for name in ("secret_key", "twilio", "telegram", "telegram_secret"):
        secret = {"twilio": AUTH_TOKEN, "telegram": "1:not-a-bot", "telegram_secret": TELEGRAM_SECRET}.get(name, "k" * 40)
        (folder / name).write_text(secret, encoding="utf-8")
    (folder / "var").mkdir(exist_ok=True)
    return made


def _blocks(made: Installation, database_url: str) -> dict[str, dict[str, Any]]:
    return {
        "server": {"port": made.http_port, "public_base_url": made.public_url, "log_format": "json"},
        "database": {"url": database_url},
        "security": {"secret_key_file": str(made.folder / "secret_key")},
        "channels.email": {"enabled": True, "port": made.smtp_port, "deliver": "console", "mailboxes": [MAILBOX]},
        "channels.twilio_sms": {"enabled": True, "auth_token_file": str(made.folder / "twilio"), "number": SMS_NUMBER},
        "channels.twilio_voice": {"enabled": True, "auth_token_file": str(made.folder / "twilio")},
        "channels.telegram": {
            "enabled": True,
            "token_file": str(made.folder / "telegram"),
            "secret_token_file": str(made.folder / "telegram_secret"),
        },
        "channels.web": {"enabled": True},
    }


def _toml(blocks: Mapping[str, Values]) -> str:
    """Return blocks of plain values as TOML; such values are written as in JSON."""
    lines = [[f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())] for name, values in blocks.items()]
    return "\n".join(line for block in lines for line in block) + "\n"


def _free_ports(count: int) -> list[int]:
    """Return ports on which nobody listens, below those that the system gives to clients: a killed server needs its own back."""
    with ExitStack() as held:
        found: list[int] = []
        while len(found) < count:
            probe = held.enter_context(socket.socket())
            port = random.randint(15_000, 30_000)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.append(port)
        return found


def _start(installation: Installation, program: Sequence[str], *arguments: str, log: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, *program, "--settings", str(installation.settings_file), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HOTLINE_")}
    with (installation.folder / log).open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=installation.folder,
            env=environment | {"PYTHONPATH": str(CHECKOUT)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


@dataclass(slots=True)
class Process:
    """A process of ours and those that it started."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def kill(self) -> None:
        """End it and its children at once, with SIGKILL."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end, with SIGTERM; return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise NotInTimeError(f"it did not stop: {self.log.read_text(encoding='utf-8')[-2000:]}") from None


class Server(Process):
    """A running `hotline serve`."""

    def __init__(self, installation: Installation, process: subprocess.Popen[bytes]) -> None:
        super().__init__(process, installation.folder / "server.log")
        self.installation = installation

    def kill(self) -> None:
        """End the server alone with SIGKILL; the process that reads its letters must notice by itself."""
        self.process.kill()
        self.process.wait()

    def wait_until_ready(self) -> None:
        wait_until(self._is_ready, "the server is ready", seconds=START_SECONDS)

    def _is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended: {self.log.read_text(encoding='utf-8')[-2000:]}")
        try:
            return get(self.installation.http_port, "/readyz").status == 200
        except OSError:
            return False


@contextmanager
def serving(installation: Installation, *, jobs: bool = True, program: Sequence[str] = HOTLINE) -> Iterator[Server]:
    """Give a running server; it is killed at the end if it still runs."""
    server = installation.start(jobs=jobs, program=program)
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def working(installation: Installation, *, concurrency: int = 2) -> Iterator[Process]:
    """Give running Celery workers with beat; they are killed at the end if they still run."""
    worker = installation.start_worker(concurrency=concurrency)
    try:
        yield worker
    finally:
        worker.kill()


# ── what citizens and providers send ──


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def letter(number: str, *, sender: str = "", subject: str = "Street lamp", text: str = "The street lamp at our door is dark.") -> bytes:
    """Return a letter with a Message-ID, sender and body of its own, made from `number`."""
    lines = (
        f"From: Citizen {number} <{sender or f'citizen-{number}@home.example'}>",
        f"To: {MAILBOX}",
        f"Subject: {subject} {number}",
        f"Message-ID: <{number}@home.example>",
        "Date: Mon, 02 Mar 2026 09:00:00 +0800",
        "Content-Type: text/plain; charset=utf-8",
        "",
        f"{text} ({number})",
    )
    return "\r\n".join(lines).encode() + b"\r\n"


def send_letter(port: int, body: bytes, *, mail_from: str = "citizen@home.example", to: str = MAILBOX) -> None:
    """Hand one letter to the mail door. Raises what smtplib raises when it is not acknowledged."""
    with smtplib.SMTP("127.0.0.1", port, timeout=ANSWER_SECONDS) as session:
        session.sendmail(mail_from, [to], body)


def sms(sid: str, *, sender: str, text: str) -> dict[str, str]:
    """Return the form that Twilio posts for an SMS."""
    return {"MessageSid": sid, "AccountSid": "AC" + "0" * 32, "From": sender, "To": SMS_NUMBER, "Body": text, "NumMedia": "0"}


def signed(url: str, form: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a webhook that Twilio signed for `url`."""
    return {"Content-Type": FORM, "X-Twilio-Signature": RequestValidator(AUTH_TOKEN).compute_signature(url, dict(form))}


def send_sms(installation: Installation, form: Mapping[str, str]) -> Answer:
    """Post an SMS webhook, signed for the public address."""
    headers = signed(installation.public_url + SMS_PATH, form)
    return post(installation.http_port, SMS_PATH, urlencode(form).encode(), headers)


def send_telegram(installation: Installation, update_id: int, *, sender: int, text: str) -> Answer:
    """Post a text message to the bot."""
    person = {"id": sender, "is_bot": False, "first_name": "Li", "language_code": "zh-hans"}
    chat = {"id": sender, "type": "private", "first_name": "Li"}
    message = {"message_id": update_id, "date": 1_772_413_200, "chat": chat, "from": person, "text": text}
    headers = {"Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": TELEGRAM_SECRET}
    return post(installation.http_port, TELEGRAM_PATH, json.dumps({"update_id": update_id, "message": message}).encode(), headers)


def send_form(installation: Installation, **fields: str) -> Answer:
    """Post the citizens' contact form."""
    return post(installation.http_port, WEB_PATH, urlencode(fields).encode(), {"Content-Type": FORM})


def get(port: int, path: str, headers: Mapping[str, str] | None = None) -> Answer:
    return _ask(port, "GET", path, None, headers or {})


def post(port: int, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    return _ask(port, "POST", path, body, headers)


def _ask(port: int, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        return Answer(response.status, response.read(), {name.lower(): value for name, value in response.getheaders()})
    finally:
        connection.close()
