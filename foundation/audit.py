"""The trail of sensitive reads and administrative acts."""

from __future__ import annotations

from typing import Any

from foundation.database import Session
from foundation.models import AuditEntry


def record(session: Session, *, actor: str, action: str, subject: str = "", **detail: Any) -> AuditEntry:
    """Add a line to the trail, in the transaction of the act itself.

    actor    a label such as "staff:<id>" or "cli:<login>"
    detail   ids and facts; never names, numbers or texts of citizens
    """
    entry = AuditEntry(at=session.now, actor=actor, action=action, subject=subject, detail=detail)
    session.add(entry)
    return entry
