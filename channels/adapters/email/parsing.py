"""A letter as the hotline reads it. Pure, and standard library only: it runs in a process of its own.

Headers are split and decoded here; only multipart bodies meet the library's parser (`content.py`).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from channels.adapters.email.content import MAX_HEADER, OverLimitError, read_content
from channels.adapters.email.decoding import decode_header, decode_text, one_line

MAX_HEADER_BLOCK = 262_144
MAX_HEADERS = 1_000
MAX_ATTACHMENTS = 100
MAX_TEXT = 200_000
MAX_REFERENCES = 50

LOOP_HEADER = "X-Hotline-Loop"

# the headers that are read; only for them a length over the limit is a failure
_READ = frozenset(
    {
        *("from", "reply-to", "subject", "date", "message-id", "in-reply-to", "references"),
        *("auto-submitted", "precedence", "x-failed-recipients", LOOP_HEADER.lower()),
        *("content-type", "content-transfer-encoding", "content-disposition"),
    }
)
_HEADER_LINE = re.compile(rb"([!-9;-~]{1,200})[ \t]*:(.*)", re.DOTALL)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.){0,1000}"')
_IN_BRACKETS = re.compile(r"<\s*([^<>\s@]{1,64}@[^<>\s@]{1,255})\s*>")
_BARE_ADDRESS = re.compile(r"[^\s<>()\"',;:@]{1,64}@[^\s<>()\"',;:@]{1,255}")
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,240}>")
_MACHINES = frozenset({"mailer-daemon", "postmaster", "no-reply", "noreply", "do-not-reply", "donotreply"})
_MASS = frozenset({"bulk", "junk", "list", "auto_reply"})
_HAN = re.compile("[\u4e00-\u9fff]")
_LATIN = re.compile("[A-Za-z]")


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """The letter could not be read; it is kept, and a person looks at it.

    reason        for staff: what stopped the reading, nothing of the letter
    external_id   the same as the letter would have had, so that a repeat is known
    """

    reason: str
    external_id: str = ""


def read_letter(body: bytes, mailbox: str, mail_from: str) -> dict[str, Any] | ParseFailure:
    """Return what a contact needs, fit for JSON; never raises.

    mailbox     ours, without plus part
    mail_from   the envelope's sender, "" for the null return path
    Returns     external_id, sender, name, subject, text, is_cut, language, message_id, refers_to, is_machine, occurred_at
                (ISO 8601 or None), attachments [[filename, content_type, size]], sender_from (which header named the sender)
    """
    try:
        return _read(body, mailbox, mail_from)
    except OverLimitError as error:
        return ParseFailure(str(error), fingerprint(body, mailbox))
    except Exception as error:  # noqa: BLE001  whatever a letter breaks, a person reads it
        return ParseFailure(f"reading failed: {type(error).__name__}", fingerprint(body, mailbox))


def fingerprint(body: bytes, mailbox: str) -> str:
    """Return the letter's identity for one mailbox: SHA-256 of Message-ID, Date, From, the rest below the headers, mailbox.

    Message-ID alone would drop real letters: some senders repeat it or write none.
    """
    headers, rest = _split(body)
    return _fingerprint(_first_of_each(headers), rest, mailbox)


def _read(body: bytes, mailbox: str, mail_from: str) -> dict[str, Any]:
    pairs, rest = _split(body)
    headers = _first_of_each(pairs)
    _check_limits(pairs, len(body) - len(rest))
    address, name, named_by = _sender(headers, mail_from)
    content = read_content(headers, body, rest)
    text = content.text()
    subject = decode_header(headers.get("subject", b""))[:300]
    return {
        "external_id": _fingerprint(headers, rest, mailbox),
        "sender": address,
        "sender_from": named_by,
        "name": name[:200],
        "subject": subject,
        "text": text[:MAX_TEXT],
        "is_cut": len(text) > MAX_TEXT or content.is_cut,
        "language": _language_of(subject, text[:MAX_TEXT]),
        "message_id": _message_id(headers),
        "refers_to": _refers_to(headers),
        "is_machine": _is_machine(headers, address, mail_from),
        "occurred_at": _date(headers),
        "attachments": content.attachments[:MAX_ATTACHMENTS],
    }


# ── headers ──


def _split(body: bytes) -> tuple[list[tuple[str, bytes]], bytes]:
    """Return the headers, names in lower case and values unfolded, and what stands below them.

    A line that is no header ends them, so that nothing of the letter is lost.
    """
    pairs: list[tuple[str, bytes]] = []
    position = len(body) - len(body.lstrip(b"\r\n"))
    if body.startswith((b"From ", b">From "), position):
        position = _line_end(body, position)
    while position < len(body) and position <= MAX_HEADER_BLOCK:
        end = _line_end(body, position)
        line = body[position:end].rstrip(b"\r\n")
        if not line:
            return pairs, body[end:]
        if line[0] in b" \t" and pairs:
            name, value = pairs[-1]
            if len(value) <= MAX_HEADER:  # joined no further than it is read
                pairs[-1] = (name, value + b"\n" + line)
        elif found := _HEADER_LINE.fullmatch(line):
            pairs.append((found[1].decode("ascii").lower(), found[2].strip()))
        else:
            return pairs, body[position:]
        position = end
    return pairs, body[position:]


def _line_end(body: bytes, position: int) -> int:
    end = body.find(b"\n", position)
    return len(body) if end < 0 else end + 1


def _first_of_each(pairs: list[tuple[str, bytes]]) -> dict[str, bytes]:
    return dict(reversed(pairs))


def _check_limits(pairs: list[tuple[str, bytes]], block_size: int) -> None:
    if block_size > MAX_HEADER_BLOCK:
        raise OverLimitError(f"more than {MAX_HEADER_BLOCK} bytes of headers")
    if len(pairs) > MAX_HEADERS:
        raise OverLimitError(f"more than {MAX_HEADERS} headers")
    for name, value in pairs:
        if len(value) > MAX_HEADER and name in _READ:
            raise OverLimitError(f"the header {name} is longer than {MAX_HEADER} bytes")


def _fingerprint(headers: dict[str, bytes], rest: bytes, mailbox: str) -> str:
    digest = hashlib.sha256(hashlib.sha256(rest).digest())
    for part in (headers.get("message-id", b""), headers.get("date", b""), headers.get("from", b""), mailbox.lower().encode()):
        digest.update(b"%d:%b" % (len(part), part))
    return digest.hexdigest()


def _sender(headers: dict[str, bytes], mail_from: str) -> tuple[str, str, str]:
    """Return address, name, and what named them: From, else Reply-To, else the envelope; "" for an unknown address."""
    from_name = ""
    for header in ("from", "reply-to"):
        address, name = _address(headers.get(header, b""))
        from_name = from_name or name
        if address:
            return address, from_name, header
    address, _ = _address(mail_from.encode("utf-8", "replace"))
    return address, from_name, "envelope" if address else ""


def _address(raw: bytes) -> tuple[str, str]:
    """Return the address in lower case and the name beside it; "" for what is not there."""
    value = raw.decode("latin-1")  # one character a byte; decoded for real below
    bare = _QUOTED.sub(lambda found: " " * len(found[0]), value)  # a quoted name may look like an address
    found = _IN_BRACKETS.search(bare)
    if found:
        name = value[: found.start()]
        return _decoded_address(found[1]), _name(name)
    found = _BARE_ADDRESS.search(bare)
    if found:
        return _decoded_address(found[0]), _name("".join(re.findall(r"\(([^()]{1,200})\)", value)[:1]))
    return "", _name(value.replace("<>", ""))


def _decoded_address(value: str) -> str:
    return one_line(decode_text(value.encode("latin-1"))).lower()


def _name(value: str) -> str:
    value = value.strip().strip(",").strip()
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    return decode_header(value.encode("latin-1"))


def _message_id(headers: dict[str, bytes]) -> str:
    value = decode_header(headers.get("message-id", b""))
    found = _MESSAGE_ID.search(value)
    return found[0] if found else value[:240]


def _refers_to(headers: dict[str, bytes]) -> list[str]:
    """Return the Message-IDs that the letter answers, newest first."""
    answered = _MESSAGE_ID.findall(decode_header(headers.get("in-reply-to", b"")))
    chain = _MESSAGE_ID.findall(decode_header(headers.get("references", b"")))
    return list(dict.fromkeys([*answered, *reversed(chain)]))[:MAX_REFERENCES]


def _date(headers: dict[str, bytes]) -> str | None:
    try:
        moment = parsedate_to_datetime(decode_header(headers.get("date", b"")))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, TypeError, IndexError, AttributeError, OverflowError):
        return None  # missing and nonsense dates are common


def _is_machine(headers: dict[str, bytes], address: str, mail_from: str) -> bool:
    """Return whether no person wrote this: a bounce, an automatic reply, a list, or a hotline's own letter."""
    auto_submitted = headers.get("auto-submitted", b"").split(b";")[0].strip().lower()
    return (
        not mail_from
        or auto_submitted not in (b"", b"no")
        or headers.get("precedence", b"").strip().lower().decode("latin-1") in _MASS
        or headers.get("content-type", b"").lower().startswith(b"multipart/report")
        or "x-failed-recipients" in headers
        or LOOP_HEADER.lower() in headers
        or address.partition("@")[0] in _MACHINES
    )


def _language_of(subject: str, text: str) -> str:
    """Return "zh" when there are Han characters, "en" when there are Latin letters only, else ""."""
    both = (subject, text)
    if any(_HAN.search(words) for words in both if not words.isascii()):
        return "zh"
    return "en" if any(_LATIN.search(words) for words in both) else ""
