"""Tokens, hashes and signatures: one place for everything that must not be guessed."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

# No vowels and nothing that is misheard or misread for another: 27 signs, read out one by one.
CODE_ALPHABET = "23456789BCDFGHJKMNPQRSTVWXZ"


def new_token() -> str:
    """Return an unguessable token of 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def new_lookup_code() -> str:
    """Return an 8-character code that a citizen can read out; about 2.8e11 possibilities."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(8))


def token_hash(token: str) -> str:
    """Return the SHA-256 of a token in hex: what is stored in its place."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def signature(key: str, *parts: str) -> str:
    """Return the HMAC-SHA256 of `parts` in hex; the parts cannot run into each other."""
    signed = "".join(f"{len(part)}:{part}" for part in parts)
    return hmac.new(key.encode(), signed.encode(), hashlib.sha256).hexdigest()


def equals(given: str, expected: str) -> bool:
    """Return whether two secrets are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass"))


def who_may_call(label: str) -> Callable[[F], F]:
    """Mark a route with who may call it: "anyone", "provider", or the staff action that it asks for."""

    def mark(endpoint: F) -> F:
        endpoint.who_may_call = label  # type: ignore[attr-defined]
        return endpoint

    return mark
