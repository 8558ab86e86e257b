"""Senders in a process of their own, so that their CPU is not the server's: `python -m bench.clients smtp|sms …`.

Each client keeps one connection and sends the next contact when the one before is acknowledged. Prints one JSON line.
Every contact has a sender and a text of its own; `--first` keeps the runs on one store apart.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass, field
from urllib.parse import urlencode, urlsplit

import uvloop

from tests.live import MAILBOX, SMS_PATH, signed, sms

ENGLISH = "The street lamp in front of number %d has been dark for two weeks, and somebody fell there last night. "
CHINESE = "第%d号门前的路灯已经坏了两个星期，昨天晚上有人在那里摔倒了，请尽快派人来修理。"
RECEIVED = "Received: from mx%d.relay.example ([192.0.2.%d]) by mail.city.example with ESMTPS id %032x; Mon, 02 Mar 2026 09:00:00 +0800"
TEXT_BYTES = 1100
HTML_BYTES = 1500


@dataclass(slots=True)
class Result:
    """seconds: from the first byte to the last acknowledgement; ack_ms: from a contact's last byte to its acknowledgement."""

    seconds: float = 0.0
    refused: int = 0
    ack_ms: list[float] = field(default_factory=list)


def letter(number: int) -> bytes:
    """Return a letter of about 4 KB: four hops, text and HTML; every other one Chinese."""
    sentence = (CHINESE if number % 2 else ENGLISH) % number
    text = sentence * (TEXT_BYTES // len(sentence.encode()) + 1)
    html = "<html><body><p>" + "</p><p>".join([sentence] * (HTML_BYTES // len(sentence.encode()) + 1)) + "</p></body></html>"
    lines = [RECEIVED % (hop, hop, number * 7 + hop) for hop in range(1, 5)]
    lines += [
        f"From: =?utf-8?B?{base64.b64encode(f'王小明{number}'.encode()).decode()}?= <citizen-{number}@home.example>",
        f"To: {MAILBOX}",
        f"Subject: =?utf-8?B?{base64.b64encode(f'路灯坏了 {number}'.encode()).decode()}?=",
        f"Message-ID: <{number}.bench@home.example>",
        "Date: Mon, 02 Mar 2026 09:00:00 +0800",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/alternative; boundary="b{number}"',
        "",
    ]
    for kind, body in (("plain", text), ("html", html)):
        lines += [f"--b{number}", f"Content-Type: text/{kind}; charset=utf-8", "Content-Transfer-Encoding: base64", ""]
        lines += base64.encodebytes(body.encode()).decode().splitlines()
    return "\r\n".join([*lines, f"--b{number}--", ""]).encode()


async def send_letters(port: int, numbers: Iterator[int], result: Result) -> None:
    """Send letters over one connection, as a mail server does that has many for us."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await _answer(reader)
    await _say(reader, writer, b"EHLO relay.example")
    for number in numbers:
        body = letter(number)
        await _say(reader, writer, f"MAIL FROM:<citizen-{number}@home.example>".encode())
        await _say(reader, writer, f"RCPT TO:<{MAILBOX}>".encode())
        await _say(reader, writer, b"DATA")
        writer.write(body + b".\r\n")
        sent_at = time.perf_counter()
        answer = await _answer(reader)
        _note(result, sent_at, is_kept=answer.startswith(b"250"))
    writer.write(b"QUIT\r\n")
    writer.close()


async def _say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: bytes) -> bytes:
    writer.write(line + b"\r\n")
    return await _answer(reader)


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """Return the last line of an answer."""
    while (line := await reader.readline())[3:4] == b"-":
        pass
    return line


async def send_sms(port: int, public_url: str, numbers: Iterator[int], result: Result) -> None:
    """Post signed SMS webhooks over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in numbers:
        text = (CHINESE if number % 2 else ENGLISH) % number
        form = sms(f"SM{number:032x}", sender=f"+8613{number:09d}", text=text)
        body = urlencode(form).encode()
        headers = {"Host": urlsplit(public_url).netloc, "Content-Length": str(len(body))} | signed(public_url + SMS_PATH, form)
        head = f"POST {SMS_PATH} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
        writer.write(head.encode() + body)
        sent_at = time.perf_counter()
        status = await _http_status(reader)
        _note(result, sent_at, is_kept=status == 200)
    writer.close()


async def _http_status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().split("\r\n")
    length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length:"))
    await reader.readexactly(length)
    return int(lines[0].split()[1])


def _note(result: Result, sent_at: float, *, is_kept: bool) -> None:
    result.ack_ms.append((time.perf_counter() - sent_at) * 1000)
    result.refused += not is_kept


async def run(clients: int, numbers: range, send: Callable[[Iterator[int], Result], Awaitable[None]]) -> Result:
    """Let `clients` senders share the numbers."""
    result = Result()
    waiting = iter(numbers)
    began_at = time.perf_counter()
    await asyncio.gather(*(send(waiting, result) for _ in range(clients)))
    result.seconds = time.perf_counter() - began_at
    return result


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("door", choices=["smtp", "sms"])
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--public-url", default="")
    arguments.add_argument("--clients", type=int, required=True)
    arguments.add_argument("--count", type=int, required=True)
    arguments.add_argument("--first", type=int, default=0)
    chosen = arguments.parse_args()

    def send(numbers: Iterator[int], result: Result) -> Awaitable[None]:
        if chosen.door == "sms":
            return send_sms(chosen.port, chosen.public_url, numbers, result)
        return send_letters(chosen.port, numbers, result)

    numbers = range(chosen.first, chosen.first + chosen.count)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        json.dump(asdict(runner.run(run(chosen.clients, numbers, send))), sys.stdout)


if __name__ == "__main__":
    main()
