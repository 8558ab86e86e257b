"""A mail relay on loopback that takes letters, refuses them, or breaks off, as the test tells it."""

from __future__ import annotations

import socketserver
import threading
from dataclasses import dataclass, field
from types import TracebackType


@dataclass
class Delivered:
    """One letter as the relay got it, dots taken out."""

    mail_from: str
    recipients: list[str]
    content: bytes


@dataclass
class SmtpSink:
    """Use as a context manager; `port` is free to connect to inside it.

    answers    what to say instead of yes, by stage: "CONNECT", "MAIL", "RCPT", "DATA", "END" (after the letter)
    drop_at    the stage at which the connection is closed without an answer; "END" is after the whole letter
    """

    answers: dict[str, str] = field(default_factory=dict)
    drop_at: str = ""
    letters: list[Delivered] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    extensions: tuple[str, ...] = ("8BITMIME", "SMTPUTF8")

    def __enter__(self) -> SmtpSink:
        sink = self

        class Session(socketserver.StreamRequestHandler):
            timeout = 20

            def handle(self) -> None:
                _Conversation(sink, self).hold()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])


class _BrokenOffError(Exception):
    """The relay hangs up, as it was told."""


class _Conversation:
    def __init__(self, sink: SmtpSink, session: socketserver.StreamRequestHandler) -> None:
        self._sink = sink
        self._session = session
        self._letter = Delivered("", [], b"")

    def hold(self) -> None:
        try:
            self._answer("CONNECT", "220 sink.test ESMTP")
            while line := self._session.rfile.readline().decode("utf-8", "surrogateescape").strip():
                self._sink.commands.append(line)
                if not self._obey(line):
                    return
        except _BrokenOffError:
            return

    def _obey(self, line: str) -> bool:
        verb, _, argument = line.partition(" ")
        match verb.upper():
            case "EHLO":
                self._say("250-sink.test")
                for extension in self._sink.extensions:
                    self._say(f"250-{extension}")
                self._say("250 HELP")
            case "MAIL":
                self._letter = Delivered(_address(argument), [], b"")
                self._answer("MAIL", "250 OK")
            case "RCPT":
                self._letter.recipients.append(_address(argument))
                self._answer("RCPT", "250 OK")
            case "DATA":
                if self._answer("DATA", "354 go on"):
                    self._take()
            case "STARTTLS":
                self._say("220 go on")
                self._say("250 this is no TLS")
                return False
            case "QUIT":
                self._say("221 bye")
                return False
            case _:
                self._say("250 OK")
        return True

    def _take(self) -> None:
        lines: list[bytes] = []
        while (line := self._session.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        self._letter.content = b"".join(lines)
        if self._answer("END", "250 2.0.0 taken"):
            self._sink.letters.append(self._letter)

    def _answer(self, stage: str, yes: str) -> bool:
        """Say what was scripted for the stage; return whether that was a yes."""
        if self._sink.drop_at == stage:
            raise _BrokenOffError
        answer = self._sink.answers.get(stage, yes)
        self._say(answer)
        return answer[0] in "23"

    def _say(self, line: str) -> None:
        self._session.wfile.write(line.encode() + b"\r\n")


def _address(argument: str) -> str:
    return argument.partition("<")[2].partition(">")[0]
