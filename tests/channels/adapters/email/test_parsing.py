"""What the hotline reads in a letter."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.adapters.email.decoding import decode_header, decode_text
from channels.adapters.email.parsing import MAX_TEXT, ParseFailure, fingerprint, read_letter
from tests.channels.adapters.email import letters
from tests.channels.adapters.email.letters import LI, MAILBOX, letter


def read(body: bytes, mail_from: str = LI) -> dict[str, Any]:
    fields = read_letter(body, MAILBOX, mail_from)
    assert isinstance(fields, dict), fields
    return json.loads(json.dumps(fields))  # type: ignore[no-any-return]


def failure(body: bytes) -> ParseFailure:
    fields = read_letter(body, MAILBOX, LI)
    assert isinstance(fields, ParseFailure)
    return fields


def test_a_plain_letter_is_read_with_its_sender_subject_text_and_date() -> None:
    fields = read(letters.PLAIN)
    assert (fields["sender"], fields["name"], fields["subject"]) == ("li@example.org", "Li Wei", "Street lamp")
    assert (fields["text"], fields["language"]) == ("The street lamp is broken.", "en")
    assert (fields["message_id"], fields["occurred_at"]) == ("<1@example.org>", "2026-03-02T01:00:00+00:00")
    assert (fields["is_machine"], fields["is_cut"], fields["attachments"], fields["refers_to"]) == (False, False, [], [])


@pytest.mark.parametrize(
    ("body", "subject", "text"),
    [
        (letters.GBK_CALLED_GB2312, "夜间施工噪音", letters.COMPLAINT),
        (letters.HTML_ONLY, "Lamp", "路灯坏了\n\nPlease & thanks"),
        (letters.WITHOUT_MESSAGE_ID, "Lamp", "It is dark here."),
        (letters.RAW_SUBJECT, "路灯坏了", "幸福路"),
        (letters.ALTERNATIVE, "Lamp", "the plain one"),
        (b"\r\n\r\n" + letters.PLAIN, "Street lamp", "The street lamp is broken."),
        (letters.PLAIN.replace(b"\r\n", b"\n"), "Street lamp", "The street lamp is broken."),
        (letter(body=b"a\x00b\r\n"), "", "ab"),
        (letter(b"Subject: a", b" folded", b"\tone"), "a folded one", "The street lamp is broken."),
        (b"no header at all\r\n\r\nbut words\r\n", "", "no header at all\n\nbut words"),
        (letter(b"Content-Type: multipart/mixed", body=b"no boundary\r\n"), "", "no boundary"),
        (letter(b"Content-Type: text/plain; charset=punycode", body="路灯".encode()), "", "路灯"),
        (letter(b"Content-Type: text/plain; charset=big5", body="路灯坏了，请修理".encode()), "", "路灯坏了，请修理"),
        (letter(b"Content-Transfer-Encoding: quoted-printable", body=b"caf=C3=A9"), "", "café"),
    ],
)
def test_letters_of_every_make_keep_their_words(body: bytes, subject: str, text: str) -> None:
    fields = read(body)
    assert (fields["subject"], fields["text"]) == (subject, text)


def test_attachments_are_listed_with_safe_names_and_real_sizes_and_stay_out_of_the_text() -> None:
    fields = read(letters.ATTACHMENT)
    assert fields["text"] == "See the photo."
    assert fields["attachments"][:2] == [["照片.jpg", "image/jpeg", 1000], ["说明.txt", "text/plain", 5]]
    assert fields["attachments"][2][:2] == ["", "message/rfc822"]
    assert fields["attachments"][2][2] > 0


@pytest.mark.parametrize(
    ("headers", "mail_from", "sender", "name"),
    [
        (b"From: LI@Example.ORG", "e@x.org", "li@example.org", ""),
        (b'From: "Li, Wei" <li@example.org>', "e@x.org", "li@example.org", "Li, Wei"),
        (b"From: Li, Wei <li@example.org>", "e@x.org", "li@example.org", "Li, Wei"),
        (b'From: "mayor@city.example" <li@example.org>', "e@x.org", "li@example.org", "mayor@city.example"),
        (b"From: li@example.org (Li Wei)", "e@x.org", "li@example.org", "Li Wei"),
        ("From: 李伟 <li@example.org>".encode("gbk"), "e@x.org", "li@example.org", "李伟"),
        (b"From: =?utf-8?B?5p2O?= =?utf-8?B?5Lyf?= <li@example.org>", "e@x.org", "li@example.org", "李伟"),
        (b"From: <>\r\nReply-To: li@example.org", "e@x.org", "li@example.org", ""),
        (b"Reply-To: li@example.org", "e@x.org", "li@example.org", ""),
        (b"From: Li", "e@x.org", "e@x.org", "Li"),
        (b"Subject: x", "e@x.org", "e@x.org", ""),
        (b"Subject: x", "", "", ""),
    ],
)
def test_the_sender_is_from_else_reply_to_else_the_envelope(headers: bytes, mail_from: str, sender: str, name: str) -> None:
    fields = read(letter(headers, top=b""), mail_from)
    assert (fields["sender"], fields["name"]) == (sender, name)


@pytest.mark.parametrize(
    ("headers", "mail_from", "is_machine"),
    [
        (b"Subject: x", LI, False),
        (b"Auto-Submitted: no", LI, False),
        (b"Auto-Submitted: auto-replied; owner=x", LI, True),
        (b"Precedence: bulk", LI, True),
        (b"X-Hotline-Loop: abc", LI, True),
        (b"X-Failed-Recipients: x@y", LI, True),
        (b"Subject: auto-reply is what I want", LI, False),
        (b"Subject: x", "", True),
    ],
)
def test_a_machine_is_known_by_its_headers_and_its_null_return_path(headers: bytes, mail_from: str, is_machine: bool) -> None:
    assert read(letter(headers), mail_from)["is_machine"] is is_machine


def test_a_bounce_and_a_mailer_daemon_are_machines() -> None:
    assert read(letters.BOUNCE)["is_machine"] is True
    assert read(b"From: MAILER-DAEMON@mx.example\r\n\r\nx")["is_machine"] is True


def test_the_letters_that_it_answers_come_newest_first() -> None:
    body = letter(
        b"In-Reply-To: your letter <3@city.example> of Monday", b"References: <1@city.example>\r\n <2@city.example> <3@city.example>"
    )
    assert read(body)["refers_to"] == ["<3@city.example>", "<2@city.example>", "<1@city.example>"]


@pytest.mark.parametrize("identifier", [b"<[x@host]>", b"no-brackets", b"", b"<a b@c>", b"\xff\xfe"])
def test_an_odd_message_id_stops_nothing(identifier: bytes) -> None:
    assert read(letter(b"Message-ID: " + identifier, top=b"From: li@example.org\r\n"))["text"] == "The street lamp is broken."


def test_the_same_letter_on_another_way_is_the_same_and_other_words_are_not() -> None:
    again = b"Received: from elsewhere\r\n" + letters.PLAIN
    other = letters.PLAIN.replace(b"lamp is", b"lamps are")
    assert fingerprint(letters.PLAIN, MAILBOX) == fingerprint(again, MAILBOX) == read(letters.PLAIN)["external_id"]
    assert fingerprint(letters.PLAIN, MAILBOX) != fingerprint(other, MAILBOX)
    assert fingerprint(letters.PLAIN, MAILBOX) != fingerprint(letters.PLAIN, "other@city.example")


def test_a_very_long_text_is_cut_and_says_so() -> None:
    fields = read(letter(body=b"x" * (MAX_TEXT + 1)))
    assert (len(fields["text"]), fields["is_cut"]) == (MAX_TEXT, True)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (letters.nested(40), "nested deeper"),
        (letters.nested(3000), "RecursionError"),
        (letters.many_parts(400), "more than 200 parts"),
        (letter(b"Subject: " + b"x" * 20_000), "header subject is longer"),
        (letter(b"Content-Type: text/plain" + b"; a=b" * 5_000), "header content-type is longer"),
        (letter(*[b"X-A: b"] * 1_001), "more than 1000 headers"),
        (letter(b"To: " + b"a@example.org,\r\n " * 20_000), "bytes of headers"),
    ],
)
def test_a_bomb_is_a_failure_at_once_and_keeps_its_identity(body: bytes, reason: str) -> None:
    began = time.process_time()
    failed = failure(body)
    assert reason in failed.reason
    assert failed.external_id == fingerprint(body, MAILBOX)
    assert time.process_time() - began < 4


def test_a_long_list_of_recipients_is_no_bomb() -> None:
    assert read(letter(b"To: " + b",\r\n ".join([b"a@example.org"] * 2_000)))["text"] == "The street lamp is broken."


def test_headers_that_cost_the_library_quadratic_time_cost_little_here() -> None:
    body = letter(b"Subject: " + b"=?utf-8?q?a?= " * 1_100, b"From: " + b"(" * 16_000, b"References: " + b"<" * 16_000, top=b"")
    began = time.process_time()
    assert read(body)["subject"] == "a" * 300
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"=?utf-8?B?6Lev5w==?= =?utf-8?B?ga8=?=", "路灯"),  # cut inside a character
        (b"=?gb2312?B?wre1xg==?= ok", "路灯 ok"),
        (b"=?utf-8?Q?a_b=3D?=", "a b="),
        (b"=?nonsense?B?6Lev?=", "路"),
        (b"=?utf-8?B?!!!?= x", "x"),
        (b"=?utf-8?Q?unfinished", "=?utf-8?Q?unfinished"),
        ("路灯".encode(), "路灯"),
    ],
)
def test_header_words_are_decoded_whatever_cut_or_label_they_have(raw: bytes, text: str) -> None:
    assert decode_header(raw) == text


@given(st.binary(max_size=400), st.sampled_from(["", "utf-8", "gb2312", "hex", "utf-16", "idna", "\x00", "utf-7", "iso-2022-jp"]))
def test_any_bytes_under_any_label_become_text(raw: bytes, label: str) -> None:
    assert isinstance(decode_text(raw, label), str)


PIECES = st.sampled_from(
    [
        b"From: ",
        b"Subject: ",
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"--b\r\n",
        b"--b--",
        b"\r\n",
        b"=?utf-8?b?",
        b"?=",
        b"<a@b>",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Type: message/rfc822\r\n",
        b"Content-Disposition: attachment; filename*0*=utf-8''%",
    ]
)


@given(st.lists(st.one_of(PIECES, st.binary(max_size=30)), max_size=40), st.text(max_size=20))
def test_reading_never_raises_and_what_it_reads_can_be_stored(pieces: list[bytes], mail_from: str) -> None:
    fields = read_letter(b"".join(pieces), MAILBOX, mail_from)
    assert isinstance(fields, dict), fields
    stored = json.dumps(fields, ensure_ascii=False).encode()
    assert b"\\u0000" not in stored
    assert len(fields["external_id"]) == 64


def test_reading_imports_nothing_heavy() -> None:
    program = "import sys, channels.adapters.email.child; print(sorted({name.split('.')[0] for name in sys.modules}))"
    modules = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    for heavy in ("pydantic", "sqlmodel", "sqlalchemy", "fastapi", "structlog", "babel", "lxml", "aiosmtpd"):
        assert f"'{heavy}'" not in modules
