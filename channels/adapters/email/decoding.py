"""From bytes to text, whatever the label says; never raises. Standard library only: the reading process stays small."""

from __future__ import annotations

import binascii
import codecs
import re

# A label names the smaller set, senders use the larger one: https://encoding.spec.whatwg.org/#names-and-labels
_SUPERSETS = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb_2312-80": "gb18030",
    "x-gbk": "gb18030",
    "cp936": "gb18030",
    "big5": "big5hkscs",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "utf8": "utf-8",
    "shift_jis": "cp932",
}
_GUESSES = ("utf-8", "gb18030", "cp1252")  # of short unlabelled Chinese letters this order read every sample
_LABEL = re.compile(r"[a-z0-9][a-z0-9._:-]{0,39}")
# text encodings to Python, to a letter a way to burn time or to hide words
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})

_WORD = re.compile(rb"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
_BETWEEN_WORDS = re.compile(rb"(\?=)[ \t\r\n]+(?==\?[^?\s]{1,60}\?[bBqQ]\?)")
_ASCII_CONTROLS = bytes([*range(9), 11, 12, *range(14, 32), 127])
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def decode_text(raw: bytes, label: str = "") -> str:
    """Return `raw` as text: by its label, else UTF-8, GB 18030, Windows-1252; at last with marks for what is unreadable."""
    if raw.isascii() and not label:
        return raw.decode("ascii")
    for charset in (_charset_of(label), *_GUESSES):
        if charset:
            try:
                return raw.decode(charset)
            except (UnicodeError, LookupError, ValueError):
                continue
    return raw.decode("utf-8", "replace")


def _charset_of(label: str) -> str:
    """Return the codec to try for a label, "" for none that may be used."""
    name = label.strip().strip("\"'").lower()
    name = _SUPERSETS.get(name, name)
    if not _LABEL.fullmatch(name):
        return ""
    try:
        codec = codecs.lookup(name).name
    except (LookupError, ValueError):
        return ""
    return "" if codec.replace("-", "_") in _NO_CHARSETS else codec


def decode_header(raw: bytes) -> str:
    """Return a header's text in one line: encoded words (RFC 2047), raw 8-bit bytes, folded lines."""
    if b"=?" not in raw:
        return one_line(decode_text(raw))
    raw = _BETWEEN_WORDS.sub(rb"\1", raw)
    pieces: list[tuple[str, bytes]] = []
    last = 0
    for word in _WORD.finditer(raw):
        _append(pieces, "", raw[last : word.start()])
        label = word[1].split(b"*")[0].decode("ascii", "replace").lower()  # RFC 2231: charset*language
        _append(pieces, label, _word_bytes(word[2], word[3]))
        last = word.end()
    _append(pieces, "", raw[last:])
    return one_line("".join(decode_text(piece, label) for label, piece in pieces))


def _append(pieces: list[tuple[str, bytes]], label: str, piece: bytes) -> None:
    """Words of one charset are joined before they are decoded: senders cut them inside a character."""
    if not piece:
        return
    if pieces and label and pieces[-1][0] == label:
        pieces[-1] = (label, pieces[-1][1] + piece)
    else:
        pieces.append((label, piece))


def _word_bytes(encoding: bytes, content: bytes) -> bytes:
    if encoding in b"qQ":
        return binascii.a2b_qp(content, header=True)
    content = re.sub(rb"[^A-Za-z0-9+/]", b"", content)
    if len(content) % 4 == 1:
        content = content[:-1]
    return binascii.a2b_base64(content + b"=" * (-len(content) % 4))


def one_line(text: str) -> str:
    """Return text without line breaks and control characters, outer spaces off."""
    return clean(" ".join(text.split()) if "\n" in text or "\r" in text or "\t" in text else text.strip())


def clean(text: str) -> str:
    """Return text that every database stores and every page shows: no NUL, no controls, no half characters."""
    if text.isascii():  # ten times quicker than the expression
        return text.encode("ascii").translate(None, _ASCII_CONTROLS).decode("ascii")
    return _CONTROLS.sub("", text)
