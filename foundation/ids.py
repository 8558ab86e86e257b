"""Ids are made by us, before the row is stored, and sort by the time they were made (RFC 9562, version 7)."""

from __future__ import annotations

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a new time-ordered id; monotonic within one process."""
    return uuid7()
