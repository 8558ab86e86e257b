from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from channels.adapters.twilio.signature import require_signature
from channels.contract import ForgedRequestError, RawRequest
from tests.channels.adapters.requests import AUTH_TOKEN, BASE_URL, payload, posted, signed

PATH = "/channels/twilio_voice/words?try=1&lang=zh"


def check(request: RawRequest, *tokens: str, base_url: str = BASE_URL) -> None:
    require_signature(request, public_base_url=base_url, tokens=tokens or (AUTH_TOKEN,))


@pytest.mark.parametrize("name", ["twilio_sms__plain", "twilio_sms__chinese_with_nul", "twilio_sms__two_pictures"])
def test_a_request_with_blank_fields_chinese_text_or_nul_is_genuine_when_twilio_signed_it(name: str) -> None:
    check(signed(payload(name)))


def test_the_query_is_part_of_what_is_signed() -> None:
    request = signed(payload("twilio_voice__words"), PATH)
    check(request)
    with pytest.raises(ForgedRequestError):
        check(dataclasses.replace(request, path_and_query=PATH.replace("zh", "en")))


def test_the_host_header_is_never_asked() -> None:
    request = signed(payload("twilio_sms__plain"), base_url="https://evil.example")
    forged = dataclasses.replace(request, headers={**request.headers, "host": "evil.example", "x-forwarded-host": "evil.example"})
    with pytest.raises(ForgedRequestError):
        check(forged)


def test_a_base_url_with_a_trailing_slash_is_the_same_base_url() -> None:
    check(signed(payload("twilio_sms__plain")), base_url=BASE_URL + "/")


def test_while_tokens_are_rotated_the_old_and_the_new_one_are_taken_and_no_other() -> None:
    old, new, other = (signed(payload("twilio_sms__plain"), token=token) for token in ("old", "new", "other"))
    check(old, "new", "old")
    check(new, "new", "old")
    with pytest.raises(ForgedRequestError):
        check(other, "new", "old")


def test_without_any_token_nothing_is_genuine() -> None:
    with pytest.raises(ForgedRequestError):
        require_signature(signed(payload("twilio_sms__plain"), token=""), public_base_url=BASE_URL, tokens=())


def test_a_changed_added_or_removed_field_is_forged() -> None:
    request = signed(payload("twilio_sms__plain"))
    for body in (request.body + b"1", request.body + b"&More=", request.body.replace(b"FromCity=&", b"")):
        with pytest.raises(ForgedRequestError):
            check(dataclasses.replace(request, body=body))


def test_a_request_without_the_header_is_forged_and_no_crash() -> None:
    with pytest.raises(ForgedRequestError):
        check(posted(payload("twilio_sms__plain"), PATH))


def test_a_flood_of_fields_is_forged_and_no_crash() -> None:
    body = "&".join(f"f{number}=1" for number in range(500)).encode()
    with pytest.raises(ForgedRequestError):
        check(posted(body, PATH, x_twilio_signature="x"))


@profile(max_examples=60, deadline=None)
@given(
    path=st.text(max_size=40),
    body=st.binary(max_size=80),
    headers=st.dictionaries(st.sampled_from(["x-twilio-signature", "x-twilio-webhooks-signature-settings"]), st.text(max_size=40)),
    base_url=st.sampled_from([BASE_URL, "http://host:port", "http://[", "https://user@city.example:8443", ""]),
)
def test_verify_never_raises_anything_but_forged(path: str, body: bytes, headers: dict[str, str], base_url: str) -> None:
    with pytest.raises(ForgedRequestError):
        check(RawRequest("POST", path, headers, body), base_url=base_url)
