"""Letters as citizens' programs really write them, and some that nobody should."""

from __future__ import annotations

import base64

MAILBOX = "hotline@city.example"
LI = "li@example.org"

_TOP = (
    b"From: Li Wei <li@example.org>\r\nTo: hotline@city.example\r\nMessage-ID: <1@example.org>\r\nDate: Mon, 2 Mar 2026 09:00:00 +0800\r\n"
)


def letter(*headers: bytes, body: bytes = b"The street lamp is broken.\r\n", top: bytes = _TOP) -> bytes:
    """Return a letter with common headers above the given ones."""
    return top + b"".join(header + b"\r\n" for header in headers) + b"\r\n" + body


PLAIN = letter(b"Subject: Street lamp", b"Content-Type: text/plain; charset=utf-8")

COMPLAINT = "市长您好，我叫朱镕，楼下工地夜间施工，噪音扰民。"
# 镕 is not in GB 2312: most Chinese programs write GBK and call it gb2312
GBK_CALLED_GB2312 = letter(
    b"Subject: =?gb2312?B?" + base64.b64encode("夜间施工噪音".encode("gbk")) + b"?=",
    b"Content-Type: text/plain; charset=gb2312",
    b"Content-Transfer-Encoding: base64",
    body=base64.encodebytes(COMPLAINT.encode("gbk")),
)

HTML_ONLY = letter(
    b"Subject: Lamp",
    b"Content-Type: text/html; charset=utf-8",
    body="<html><head><style>p{}</style><script>x()</script></head><body><p>路灯坏了</p><p>Please &amp; thanks</p></body></html>".encode(),
)

WITHOUT_MESSAGE_ID = b"From: li@example.org\r\nSubject: Lamp\r\n\r\nIt is dark here.\r\n"

RAW_SUBJECT = letter("Subject: 路灯坏了".encode("gb18030"), b"Content-Type: text/plain", body="幸福路".encode("gb18030"))

ALTERNATIVE = letter(
    b"Subject: Lamp",
    b'Content-Type: multipart/alternative; boundary="b"',
    body=b"--b\r\nContent-Type: text/plain\r\n\r\nthe plain one\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\n<p>the <b>other</b></p>\r\n--b--\r\n",
)

ATTACHMENT = letter(
    b"Subject: Photo",
    b'Content-Type: multipart/mixed; boundary="b"',
    body=(
        b"--b\r\nContent-Type: text/plain\r\n\r\nSee the photo.\r\n"
        b"--b\r\nContent-Type: image/jpeg\r\nContent-Transfer-Encoding: base64\r\n"
        b"Content-Disposition: attachment; filename*=utf-8''..%2F%E7%85%A7%E7%89%87.jpg\r\n\r\n"
        + base64.encodebytes(b"\xff\xd8" + b"x" * 998)
        + b'--b\r\nContent-Type: text/plain; name="'
        + "说明.txt".encode("gbk")
        + b'"\r\nContent-Disposition: inline\r\n\r\nnotes\r\n'
        b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner text\r\n--b--\r\n"
    ),
)

BOUNCE = letter(
    b"Subject: Undelivered Mail",
    b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
    body=b"--b\r\nContent-Type: text/plain\r\n\r\nno such user\r\n"
    b"--b\r\nContent-Type: message/delivery-status\r\n\r\nAction: failed\r\n--b--\r\n",
)


def nested(depth: int) -> bytes:
    """Return a letter of parts in parts."""
    opening = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level) for level in range(depth))
    return _TOP + opening + b"Content-Type: text/plain\r\n\r\ndeep down\r\n"


def many_parts(count: int) -> bytes:
    return letter(b'Content-Type: multipart/mixed; boundary="b"', body=b"--b\r\n\r\nx\r\n" * count + b"--b--\r\n")
