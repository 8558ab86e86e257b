"""Departments, categories, rules and calendars change a few times a year and are read with every contact.

They are read once and kept until their version rises; the version is one small row, read once per transaction.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Engine, text

from foundation.database import Session

T = TypeVar("T")
_SEEN = "reference_version"
_kept: weakref.WeakKeyDictionary[Engine, dict[str, tuple[int, Any]]] = weakref.WeakKeyDictionary()


def cached(session: Session, name: str, load: Callable[[Session], T]) -> T:
    """Return what `load` gives, from memory while the reference data stay as they are.

    load   returns values that are no longer tied to the session: dataclasses, or rows that are never changed
    """
    version = _version(session)
    engine = session.get_bind()
    assert isinstance(engine, Engine)
    kept = _kept.setdefault(engine, {})
    found = kept.get(name)
    if found is not None and found[0] == version:
        return found[1]  # type: ignore[no-any-return]
    value = load(session)
    kept[name] = (version, value)
    return value


def changed(session: Session) -> None:
    """Say that reference data change in this transaction; every process reads them anew after its commit."""
    session.execute(text("update reference_version set value = value + 1"))
    # The rows of this transaction are not committed yet, so nothing read from here on may be kept for others.
    session.info[_SEEN] = -1
    kept = _kept.get(session.get_bind())  # type: ignore[arg-type]
    if kept is not None:
        kept.clear()


def _version(session: Session) -> int:
    seen = session.info.get(_SEEN)
    if seen is None:
        found = session.execute_on_driver("select value from reference_version")
        seen = session.info[_SEEN] = int(found.fetchone()[0])
    return int(seen)
