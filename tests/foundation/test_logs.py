from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
import structlog

from foundation.logs import set_up_logs

Form = Literal["text", "json"]
both_forms = pytest.mark.parametrize("form", ["text", "json"])
QUIET = ("uvicorn.access", "httpx", "httpcore", "twilio", "sqlalchemy.engine", "telegram")
SECRET = "Wang-Jianguo-13800001111"


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, Form], io.StringIO]]:
    """Set up the logs as the product does, on a text of ours; afterwards everything is as before."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in (*QUIET, "mail.log")}

    def start(level: str, form: Form) -> io.StringIO:
        written = io.StringIO()
        monkeypatch.setattr(sys, "stderr", written)
        set_up_logs(level, form)
        return written

    yield start
    root.handlers = before
    root.setLevel(level)
    for name, old in levels.items():
        logging.getLogger(name).setLevel(old)
    structlog.reset_defaults()


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def fail_with(name: str) -> None:
    letter = f"letter of {name}"
    raise ValueError(f"{len(letter)} signs cannot be read")


def test_an_event_is_one_json_line_with_its_level_its_moment_and_its_ids(logs: Callable[[str, Form], io.StringIO]) -> None:
    written = logs("info", "json")
    structlog.get_logger("test").warning("lease_lost", work="0198", kind="letter\nwith a break")
    [line] = lines(written)
    assert (line["event"], line["level"], line["work"], line["kind"]) == ("lease_lost", "warning", "0198", "letter\nwith a break")
    assert line["timestamp"].endswith("Z")


def test_an_event_is_one_readable_line_in_the_text_form(logs: Callable[[str, Form], io.StringIO]) -> None:
    written = logs("info", "text")
    structlog.get_logger("test").warning("lease_lost", work="0198")
    [line] = written.getvalue().splitlines()
    assert "lease_lost" in line
    assert "warning" in line
    assert "work=0198" in line
    assert "\x1b" not in line  # no colours where nobody looks at a terminal


@both_forms
def test_events_of_libraries_look_like_ours(logs: Callable[[str, Form], io.StringIO], form: Form) -> None:
    written = logs("info", form)
    logging.getLogger("some.library").info("started %s", "here")
    assert "started here" in written.getvalue()
    assert len(written.getvalue().splitlines()) == 1


@both_forms
def test_an_error_is_logged_with_where_it_happened_and_without_the_values_there(
    logs: Callable[[str, Form], io.StringIO], form: Form
) -> None:
    written = logs("info", form)
    try:
        fail_with(SECRET)
    except ValueError:
        structlog.get_logger("test").exception("work_failed", work="0198")
        logging.getLogger("some.library").exception("failed too")
    said = written.getvalue()
    assert said.count("fail_with") >= 2
    assert "signs cannot be read" in said
    assert "work_failed" in said
    assert SECRET not in said


@pytest.mark.parametrize(("level", "seen"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_only_events_of_the_chosen_level_and_above_are_written(logs: Callable[[str, Form], io.StringIO], level: str, seen: int) -> None:
    written = logs(level, "json")
    log = structlog.get_logger("test")
    for say in (log.debug, log.info, log.warning, log.error):
        say("event")
    assert len(lines(written)) == seen


@both_forms
@pytest.mark.parametrize("level", ["debug", "info"])
@pytest.mark.parametrize("library", [*QUIET, "mail.log", "telegram.Bot", "sqlalchemy.engine.Engine"])
def test_libraries_that_log_addresses_letters_or_tokens_are_quiet(
    logs: Callable[[str, Form], io.StringIO], level: str, library: str, form: Form
) -> None:
    written = logs(level, form)
    logging.getLogger(library).debug("POST https://api.example/bot%s/sendMessage", SECRET)
    logging.getLogger(library).info("POST https://api.example/bot%s/sendMessage", SECRET)
    assert written.getvalue() == ""


def test_errors_of_the_mail_library_are_quiet_too_since_they_quote_the_envelope(logs: Callable[[str, Form], io.StringIO]) -> None:
    written = logs("info", "text")
    logging.getLogger("mail.log").error("%r refused", SECRET)
    assert written.getvalue() == ""


def test_setting_up_twice_writes_each_line_once(logs: Callable[[str, Form], io.StringIO]) -> None:
    logs("info", "json")
    written = logs("info", "json")
    structlog.get_logger("test").info("started")
    assert len(lines(written)) == 1


@both_forms
def test_chinese_and_odd_values_break_no_line(logs: Callable[[str, Form], io.StringIO], form: Form) -> None:
    written = logs("info", form)
    structlog.get_logger("test").info("imported", departments=["城管", None, 3], at=object(), raw=b"\xff\x00")
    assert len(written.getvalue().splitlines()) == 1
