from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.security import CODE_ALPHABET, equals, new_lookup_code, new_token, signature, token_hash, who_may_call

TEXTS = st.text(st.characters(codec="utf-8"), max_size=6)  # with NUL and line breaks


def test_no_token_is_given_twice_and_each_fits_into_an_address() -> None:
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(len(token) == 43 and token.replace("-", "").replace("_", "").isalnum() and token.isascii() for token in tokens)


def test_what_is_stored_for_a_token_is_its_sha_256() -> None:
    assert token_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert token_hash("诉求") == hashlib.sha256("诉求".encode()).hexdigest()


def test_a_lookup_code_can_be_read_out_and_spells_no_word() -> None:
    codes = [new_lookup_code() for _ in range(2000)]
    signs = set("".join(codes))
    assert {len(code) for code in codes} == {8}
    assert signs == set(CODE_ALPHABET)
    assert len(CODE_ALPHABET) == len(signs) == 27
    assert signs.isdisjoint("01AEIOULYaeiou")
    assert len(set(codes)) == 2000


@pytest.mark.parametrize(
    ("given_one", "expected", "are_equal"),
    [("a", "a", True), ("", "", True), ("a", "b", False), ("a", "ab", False), ("", "a", False), ("编号", "编号", True), ("é", "e", False)],
)
def test_two_secrets_are_equal_only_to_the_last_sign(given_one: str, expected: str, are_equal: bool) -> None:
    assert equals(given_one, expected) is are_equal


def test_a_signature_needs_the_key_and_every_part() -> None:
    signed = signature("key", "reply", "2026-7")
    assert signed == signature("key", "reply", "2026-7")
    assert len(signed) == 64
    others = [signature("Key", "reply", "2026-7"), signature("key", "reply", "2026-8"), signature("key", "2026-7", "reply")]
    others += [signature("key", "reply"), signature("key", "reply", "2026-7", ""), signature("key")]
    assert signed not in others
    assert len(set(others)) == len(others)


@given(st.lists(TEXTS, max_size=4), st.lists(TEXTS, max_size=4))
def test_the_parts_of_a_signature_cannot_run_into_each_other(one: list[str], other: list[str]) -> None:
    assert (signature("key", *one) == signature("key", *other)) is (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c"), ("a", "bc")),
        (("a", ""), ("", "a")),
        (("",), ()),
        (("a\x00b",), ("a", "b")),
        (("a", "b\x00c"), ("a\x00b", "c")),
        (("1:a",), ("a",)),
        (('a","b',), ("a", "b")),
    ],
)
def test_no_sign_inside_a_part_ends_it(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert signature("key", *one) != signature("key", *other)


def test_a_signature_is_no_plain_hash_that_could_be_lengthened() -> None:
    signed = signature("key", "a")
    assert signed not in {hashlib.sha256(b"keya").hexdigest(), hashlib.sha256(b"key\x00a").hexdigest()}
    assert len(bytes.fromhex(signed)) == hmac.new(b"", b"", hashlib.sha256).digest_size


def test_a_route_carries_who_may_call_it() -> None:
    @who_may_call("anyone")
    def endpoint() -> str:
        return "still itself"

    assert endpoint() == "still itself"
    assert endpoint.who_may_call == "anyone"  # type: ignore[attr-defined]
