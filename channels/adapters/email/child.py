"""The process that reads letters: `python -m channels.adapters.email.child`, started and watched by `reading.py`.

It sees one letter at a time, as bytes, and knows no secret. Frames on stdin and stdout are a length and that many
bytes (`struct` ">I"); a letter is two frames, the envelope as JSON and the body. It ends when stdin ends, however its
parent died, and by SIGALRM when a letter takes too long and nobody is left to end it.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
import sys
from dataclasses import asdict
from typing import BinaryIO

from channels.adapters.email.parsing import ParseFailure, read_letter

READY = b'{"ready": true}'
LENGTH = struct.Struct(">I")
_BUFFER = 65_536  # several letters with one call; as much as a pipe holds
_ALARM_AFTER = 2  # seconds beyond the limit that the parent keeps


def main() -> None:
    """Read letters until stdin ends. Arguments: seconds for a letter, megabytes of address space."""
    seconds, megabytes = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then closes stdin
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing else may write between the frames
    _put(answers, READY)
    letters = os.fdopen(os.dup(0), "rb", buffering=_BUFFER)
    while (envelope := _frame(letters)) is not None:
        body = _frame(letters)
        if body is None:
            return
        signal.alarm(seconds + _ALARM_AFTER)
        answer = _answer(envelope, body)
        signal.alarm(0)
        _put(answers, answer)


def _answer(envelope: bytes, body: bytes) -> bytes:
    serial, mailbox, mail_from = json.loads(envelope)
    read = read_letter(body, mailbox, mail_from)
    failed = isinstance(read, ParseFailure)
    return json.dumps({"serial": serial, "failed": failed, "read": asdict(read) if isinstance(read, ParseFailure) else read}).encode()


def _frame(stream: BinaryIO) -> bytes | None:
    """Return the next frame; None when the parent is gone."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (size,) = LENGTH.unpack(head)
    frame = stream.read(size)
    return frame if len(frame) == size else None


def _put(stream: BinaryIO, frame: bytes) -> None:
    stream.write(LENGTH.pack(len(frame)) + frame)
    stream.flush()


if __name__ == "__main__":
    main()
