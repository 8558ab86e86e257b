"""What a letter says, and what came with it. Pure, and standard library only; HTML brings its reader along.

`email.policy.default` is not used: it raises on some real letters and needs quadratic time for others
(github.com/python/cpython/issues/136063).
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from typing import Any

from channels.adapters.email.decoding import clean, decode_header, decode_text, one_line

MAX_HEADER = 16_384
MAX_PARTS = 200
MAX_DEPTH = 20
MAX_HTML = 1_000_000


class OverLimitError(Exception):
    """The letter has more of something than is read."""


@dataclass
class Content:
    """Pieces of the text in the letter's order, [content type, text], and the attachments."""

    pieces: list[tuple[str, str]]
    attachments: list[list[Any]]
    parts: int = 0
    is_cut: bool = False

    def text(self) -> str:
        texts = (text if kind == "text/plain" else self._from_html(text) for kind, text in self.pieces)
        return "\n\n".join(text.strip("\n") for text in texts if text.strip()).strip()

    def _from_html(self, source: str) -> str:
        self.is_cut = self.is_cut or len(source) > MAX_HTML
        return _text_of_html(source[:MAX_HTML])


def read_content(headers: dict[str, bytes], body: bytes, rest: bytes) -> Content:
    """Return the text and the attachments of a letter.

    headers   of the whole letter, by their names in lower case
    body      the whole letter
    rest      what stands below its headers
    Raises    OverLimitError
    """
    content = Content([], [])
    message: Message[str, str]
    if headers.get("content-type", b"").lower().startswith((b"multipart/", b"message/")):
        message = BytesParser(policy=compat32).parsebytes(body.lstrip(b"\r\n"))
    else:  # most letters: the library need not walk their lines
        message = Message(policy=compat32)
        for name in ("content-type", "content-transfer-encoding", "content-disposition"):
            if name in headers:
                message[name] = headers[name].decode("ascii", "surrogateescape")
        message.set_payload(rest.decode("ascii", "surrogateescape"))
    content.pieces = _pieces(message, content, depth=1)
    return content


def _pieces(part: Message[str, str], content: Content, depth: int) -> list[tuple[str, str]]:
    """Return the texts of a part and of the parts in it; adds its attachments to `content`."""
    content.parts += 1
    if depth > MAX_DEPTH:
        raise OverLimitError(f"parts nested deeper than {MAX_DEPTH}")
    if content.parts > MAX_PARTS:
        raise OverLimitError(f"more than {MAX_PARTS} parts")
    _repair_headers(part)
    kind = part.get_content_type()
    if part.is_multipart() and kind.startswith("multipart/"):
        each = [_pieces(child, content, depth + 1) for child in part.get_payload() if isinstance(child, Message)]
        return _best_of(each) if kind == "multipart/alternative" else [piece for pieces in each for piece in pieces]
    filename = _filename(part)
    if kind in ("text/plain", "text/html") and not filename and part.get_content_disposition() != "attachment":
        return [(kind, _text_of(part))]
    if kind.startswith("multipart/"):  # no boundary was found: what there is, is text
        return [("text/plain", _text_of(part))]
    content.attachments.append([filename, one_line(kind)[:100], _size(part)])
    return []


def _best_of(alternatives: list[list[tuple[str, str]]]) -> list[tuple[str, str]]:
    """Return the alternative with plain text in it, else the first one that says anything."""
    plain = (pieces for pieces in alternatives if any(kind == "text/plain" and text.strip() for kind, text in pieces))
    return next(plain, next((pieces for pieces in alternatives if any(text.strip() for _, text in pieces)), []))


def _repair_headers(part: Message[str, str]) -> None:
    """Decode raw 8-bit bytes in the headers that the library reads: it would lose them."""
    for name, value in list(part.raw_items()):
        if not name.lower().startswith("content-"):
            continue
        if len(value) > MAX_HEADER:
            raise OverLimitError(f"the header {name.lower()[:40]} is longer than {MAX_HEADER} bytes")
        if not value.isascii():
            part.replace_header(name, decode_text(value.encode("utf-8", "surrogateescape")))


def _text_of(part: Message[str, str]) -> str:
    return clean(decode_text(_bytes_of(part), str(part.get_content_charset() or "")).replace("\r\n", "\n").replace("\r", "\n"))


def _bytes_of(part: Message[str, str]) -> bytes:
    payload = part.get_payload(decode=True)  # without `decode` it would try the labelled charset, and may raise
    return payload if isinstance(payload, bytes) else b""


def _filename(part: Message[str, str]) -> str:
    """Return a name that can be shown and stored, "" for none; no folders, no controls."""
    if "content-disposition" not in part and "name" not in str(part.get("content-type", "")).lower():
        return ""  # most parts; the library would parse their headers twice to find out
    named = part.get_filename()
    if not named:
        return ""
    name = decode_header(str(named).encode("utf-8", "surrogateescape"))
    return re.split(r"[/\\]", name)[-1].strip(". ")[:150] or "unnamed"


def _size(part: Message[str, str]) -> int:
    """Return the size in bytes; of a letter inside the letter, that of its headers and decoded parts."""
    if not part.is_multipart():
        return len(_bytes_of(part))
    inside = list(part.walk())[1:]
    headers = sum(len(name) + len(value) + 4 for inner in inside for name, value in inner.raw_items())
    return headers + sum(len(_bytes_of(inner)) for inner in inside if not inner.is_multipart())


def _text_of_html(source: str) -> str:
    """Return the text of a letter that has no plain one."""
    from inscriptis import get_text  # here, because few letters need it and it brings lxml along

    try:
        return str(get_text(source))
    except Exception:  # noqa: BLE001  nested too deep, or no HTML at all: the words without the tags will do
        return html.unescape(re.sub(r"<[^<>]*>", " ", source))
