"""A small HTTP server on loopback that plays a provider. It ends with the test."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider answers.

    close_early   read the request, then break the connection without an answer
    hold          never answer; keep the connection until the client gives up
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    close_early: bool = False
    hold: bool = False


class Provider(Protocol):
    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer: ...


@contextmanager
def serving(provider: Provider) -> Iterator[str]:
    """Yield the base URL of a server on 127.0.0.1 that answers as `provider` does."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(provider))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = provider.answer("POST", self.path, headers, body)
            if answer.hold:
                self.rfile.read(1)  # until the client gives up and closes
            if answer.hold or answer.close_early:
                self.close_connection = True
                return
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing on the console."""

    return Handler
