"""kill -9 of the server in the middle of contacts over SMTP and HTTP; tests/crash/kill_nine.py sends as many as you like."""

from __future__ import annotations

from pathlib import Path

from tests.crash.kill_nine import run

CONTACTS = 120


def test_what_was_acknowledged_before_a_kill_nine_stands_exactly_once(database_url: str, tmp_path: Path) -> None:
    counts = run(database_url, tmp_path / "installation", contacts=CONTACTS)
    assert counts["problems"] == []
    assert counts["acknowledged"] == counts["acknowledged_and_standing_once"]
    assert counts["tries_not_acknowledged"] > 0, "no sender noticed the kill, so nothing was tried"
    assert counts["acknowledged"] > CONTACTS * 0.9
