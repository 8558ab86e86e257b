"""The command, as a person or a program meets it: lines of JSON, sentences with a remedy, exit statuses."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import select

from channels.contract import ContactKind
from foundation.models import AuditEntry
from hotline.cli import main
from hotline.migrations import head
from identity.actions import SignInError, sign_in_with_link
from identity.models import Staff, StaffSession
from tests.cast import LAMP, LI, NOISE, WANG, ZHANG, Desk, call_step, letter, sms
from tests.databases import empty_database
from tests.live import Installation, install
from tickets.actions import accepting

TICKET_KEYS = [
    "number",
    "kind",
    "state",
    "channel",
    "subject",
    "citizen",
    "lead_department",
    "promised_at",
    "next_followup_at",
    "opened_at",
]
CHANNEL_KEYS = {"name", "kind", "address", "inbound", "health"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
SQLITE_ONLY = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Run = Callable[..., Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process; its logs are left as the tests have them."""
    monkeypatch.setattr("hotline.cli.opened.set_up_logs", lambda *_: None)
    monkeypatch.setattr("foundation.logs.set_up_logs", lambda *_: None)

    def run(*arguments: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["hotline", *map(str, arguments)])
        capsys.readouterr()
        status = main()
        printed = capsys.readouterr()
        return Ran(status, printed.out, printed.err)

    return run


@pytest.fixture
def installation(database_url: str, tmp_path: Path) -> Installation:
    return install(tmp_path / "installation", database_url)


@pytest.fixture
def hotline(run: Run, installation: Installation) -> Run:
    """Run the command on this test's installation."""
    return lambda *arguments: run("--settings", installation.settings_file, *arguments)


# ── tickets ──


def test_a_ticket_is_a_line_of_json_with_exactly_these_keys(desk: Desk, hotline: Run) -> None:
    ticket = desk.opened(letter(WANG, "Street lamp", LAMP))
    ran = hotline("tickets", "--json")
    (record,) = map(json.loads, ran.lines)
    assert (ran.status, list(record)) == (0, TICKET_KEYS)
    assert record == {
        "number": ticket.number,
        "kind": "request",
        "state": "dispatched",
        "channel": "email",
        "subject": "Street lamp",
        "citizen": {"id": str(ticket.citizen_id), "name": "王**"},
        "lead_department": "lighting",
        "promised_at": "2026-03-09T09:30:00Z",
        "next_followup_at": "2026-03-09T01:00:00Z",
        "opened_at": "2026-03-02T01:00:00Z",
    }


@SQLITE_ONLY
def test_what_a_ticket_does_not_have_is_null(desk: Desk, hotline: Run) -> None:
    desk.take(sms(LI, LAMP))
    (record,) = map(json.loads, hotline("tickets", "--json").lines)
    assert (record["lead_department"], record["promised_at"], record["next_followup_at"]) == (None, None, None)
    assert (record["state"], record["citizen"]["name"]) == ("received", "")


@SQLITE_ONLY
def test_tickets_come_newest_first_and_no_more_than_asked_for(desk: Desk, hotline: Run) -> None:
    for number in range(3):
        desk.take(letter(WANG, f"Lamp {number}", LAMP))
        desk.later(minutes=1, microseconds=number)
    records = [json.loads(line) for line in hotline("tickets", "--json", "--limit", "2").lines]
    assert [record["subject"] for record in records] == ["Lamp 2", "Lamp 1"]
    for record in records:
        assert MOMENT.fullmatch(record["opened_at"])
        assert datetime.fromisoformat(record["opened_at"]).utcoffset() is not None


@SQLITE_ONLY
def test_the_next_follow_up_is_the_soonest_of_callback_revisit_and_reminder(desk: Desk, hotline: Run) -> None:
    desk.take(call_step(ZHANG, ContactKind.CALL, "CA1"))
    desk.take(call_step(ZHANG, ContactKind.CALL_BACK, "CA1"))
    desk.work()
    (record,) = map(json.loads, hotline("tickets", "--json").lines)
    assert record["next_followup_at"] == "2026-03-02T01:00:00Z"


@SQLITE_ONLY
def test_people_get_a_table_in_the_citys_time_or_the_next_step(desk: Desk, hotline: Run) -> None:
    assert "No tickets yet. Start the server with: hotline serve" in hotline("tickets").out
    desk.opened(sms(ZHANG, NOISE))
    assert "2026-000001  complaint    dispatched  sms      environment  2026-03-05 17:30" in hotline("tickets").out


# ── channels ──


@SQLITE_ONLY
def test_a_channel_is_a_line_of_json_that_says_where_its_provider_must_deliver(hotline: Run, installation: Installation) -> None:
    records = {record["name"]: record for record in map(json.loads, hotline("channels", "--json").lines)}
    base = installation.public_url
    assert {name: (record["kind"], record["address"], record["inbound"]) for name, record in records.items()} == {
        "email": ("email", "hotline@city.example", f"127.0.0.1:{installation.smtp_port}"),
        "twilio_sms": ("sms", "+861012345000", f"{base}/channels/twilio_sms/messages"),
        "twilio_voice": ("phone", "+861012345000", f"{base}/channels/twilio_voice/incoming"),
        "telegram": ("telegram", "@city_example_bot", f"{base}/channels/telegram/updates"),
        "web": ("web", base, f"{base}/channels/web/contacts"),
    }
    assert all(set(record) >= CHANNEL_KEYS for record in records.values())
    assert {record["health"] for record in records.values()} == {"failing"}, "nobody listens"
    assert "nobody listens there; start the server: hotline serve" in records["email"]["detail"]


@SQLITE_ONLY
def test_a_channel_is_well_when_somebody_listens_and_off_when_it_is_shut(hotline: Run, installation: Installation) -> None:
    settings = installation.settings_file.read_text(encoding="utf-8").replace(
        "[channels.web]\nenabled = true", "[channels.web]\nenabled = false"
    )
    installation.settings_file.write_text(settings, encoding="utf-8")
    with socket.create_server(("127.0.0.1", installation.smtp_port)):
        health = {record["name"]: record["health"] for record in map(json.loads, hotline("channels", "--json").lines)}
    assert health == {"email": "ok", "twilio_sms": "failing", "twilio_voice": "failing", "telegram": "failing", "web": "off"}
    assert "shut: [channels.web] enabled = false" in hotline("channels").out


# ── what waits ──


def test_a_contact_that_could_not_be_accepted_is_listed_with_its_reason_and_retried(
    desk: Desk, hotline: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Every contact stands on its ticket." in hotline("contacts").out
    assert "No contact waits for a retry." in hotline("contacts", "retry").out
    with monkeypatch.context() as broken:
        broken.setattr(accepting, "open_ticket", lambda *_, **__: 1 / 0)
        receipt = desk.take(sms(LI, LAMP)).receipt
    listed = hotline("contacts").out
    assert f"{receipt}  pending  twilio_sms" in listed
    assert "ZeroDivisionError" in listed
    assert hotline("contacts", "retry").out == "1 contacts will be tried again.\n"
    desk.clock.catch_up()  # the command's own clock is the system's
    desk.work()
    assert [ticket.text for ticket in desk.tickets()] == [LAMP]
    assert [entry.action for entry in desk.all(AuditEntry)][-1] == "contact.retried"


# ── by hand ──


@SQLITE_ONLY
@pytest.mark.parametrize(
    ("channel", "sender", "address"),
    [("sms", "13800001111", "+8613800001111"), ("email", "Wang@Example.com", "wang@example.com"), ("telegram", "7", "7")],
)
def test_a_contact_can_be_taken_by_hand(desk: Desk, hotline: Run, channel: str, sender: str, address: str) -> None:
    ran = hotline("contact", "--channel", channel, "--from", sender, "--name", "Wang", LAMP)
    (ticket,) = desk.tickets()
    assert (ran.status, ran.out) == (0, f"{ticket.number}\n")
    assert (ticket.channel, ticket.reply_to, ticket.text) == (channel, address, LAMP)


# ── setting up ──


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_database_is_prepared_and_says_which_shape_it_has(run: Run, tmp_path: Path, kind: str) -> None:
    with empty_database(kind, tmp_path) as url:
        settings = install(tmp_path / "x", url).settings_file
        assert (
            run("--settings", settings, "db", "status").out == f"The database is at nothing, this version needs {head()}: "
            "the database is not prepared for this version; run: hotline db upgrade\n"
        )
        refused = run("--settings", settings, "tickets")
        assert (refused.status, refused.err) == (2, "hotline: the database is not prepared for this version; run: hotline db upgrade\n")
        for _ in range(2):
            assert run("--settings", settings, "db", "upgrade").out == f"The database has the shape of this version ({head()}).\n"
        assert run("--settings", settings, "db", "status").out == f"The database has the shape of this version ({head()}).\n"


@pytest.mark.parametrize("command", [("tickets",), ("db", "upgrade"), ("serve",), ("contacts", "retry")], ids=" ".join)
@SQLITE_ONLY
def test_a_database_of_a_newer_version_is_left_alone(desk: Desk, hotline: Run, command: tuple[str, ...]) -> None:
    with desk.database.write() as session:
        session.execute(text("update alembic_version set version_num = '9999'"))
    ran = hotline(*command)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == (
        f"hotline: the database is newer (9999) than this version ({head()}); start the newer version, or restore a backup\n"
    )


def test_an_account_is_made_with_a_link_that_signs_in_once(desk: Desk, hotline: Run) -> None:
    ran = hotline("admin", "create", "mei", "--role", "department", "--department", "water", "--level", "1")
    with desk.database.read() as session:
        staff = session.exec(select(Staff)).one()
    assert (staff.username, staff.role, staff.department_id, staff.security_level) == ("mei", "department", desk.department("water").id, 1)
    token = ran.out.strip().rsplit("/", 1)[-1]
    assert "/sign-in/" in ran.out
    with desk.database.write() as session:
        assert not isinstance(sign_in_with_link(session, token), SignInError)
        session.flush()
        assert isinstance(sign_in_with_link(session, token), SignInError)
    assert len(desk.all(StaffSession)) == 1
    assert {entry.actor.partition(":")[0] for entry in desk.all(AuditEntry) if entry.action.startswith("staff.")} == {"cli", "staff"}


@SQLITE_ONLY
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("create", "mei", "--role", "department"), "hotline: an account of the role department needs its department's code\n"),
        (
            ("create", "mei", "--role", "department", "--department", "x"),
            "hotline: there is no department with the code 'x'; see: hotline import\n",
        ),
        (("link", "mei"), "hotline: there is no account 'mei'; make it with: hotline admin create mei\n"),
    ],
)
def test_an_account_that_cannot_be_made_says_what_to_change(desk: Desk, hotline: Run, arguments: tuple[str, ...], sentence: str) -> None:
    ran = hotline("admin", *arguments)
    assert (ran.status, ran.out, ran.err) == (1, "", sentence)
    assert desk.all(Staff) == []


@SQLITE_ONLY
def test_a_name_is_given_to_one_account_only(desk: Desk, hotline: Run) -> None:
    hotline("admin", "create", "mei")
    assert hotline("admin", "create", "mei").err == "hotline: the name 'mei' is taken; choose another\n"
    assert len(desk.all(Staff)) == 1


@SQLITE_ONLY
def test_several_files_are_imported_or_none_of_them(desk: Desk, hotline: Run, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("calendar,date,workday,name\n,2026-05-01,no,May Day\n", encoding="utf-8")
    bad.write_text("code,kind,category,urgency,amount,unit\np,,,,0,hours\n", encoding="utf-8")
    ran = hotline("import", good, bad)
    assert (ran.status, ran.err.startswith(f"hotline: {bad}, line 2: amount must be 1 to 10000")) == (1, True)
    with desk.database.read() as session:
        assert session.execute(text("select count(*) from calendar_day")).scalar_one() == 0
    assert hotline("import", good).out == f"{good}: 1 holidays imported\n"
    with desk.database.read() as session:
        assert session.execute(text("select count(*) from calendar_day")).scalar_one() == 1


# ── what is wrong ──


@SQLITE_ONLY
def test_the_check_names_every_problem_with_its_remedy(hotline: Run) -> None:
    ran = hotline("check")
    assert ran.status == 1
    assert "- there are no departments beside the fallback, so every ticket goes there: hotline import departments.csv" in ran.lines
    assert "- nobody can sign in: hotline admin create NAME" in ran.lines
    assert "- channel email: nobody listens there; start the server: hotline serve" in ran.lines
    assert ran.lines[-1] == "7 found."


@SQLITE_ONLY
def test_the_check_of_a_sound_installation_finds_nothing(desk: Desk, run: Run, installation: Installation, database_url: str) -> None:
    shut = "".join(f"[channels.{name}]\nenabled = false\n" for name in ("email", "twilio_sms", "twilio_voice", "telegram", "web"))
    settings = installation.folder / "shut.toml"
    key = installation.folder / "secret_key"
    settings.write_text(f'{shut}[database]\nurl = "{database_url}"\n[security]\nsecret_key_file = "{key}"\n', encoding="utf-8")
    run("--settings", settings, "admin", "create", "mei")
    assert run("--settings", settings, "check") == Ran(0, "Nothing is wrong.\n", "")
    desk.sender.answers = [ValueError("x")]
    desk.opened(sms(LI, LAMP))
    assert run("--settings", settings, "check").lines[0] == (
        "- 1 contacts, messages or jobs need a person: open /attention, or run: hotline contacts"
    )


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("[server]\nprot = 1", "nobody knows the setting 'server.prot'; did you mean 'port'?"),
        ("[channels.email]\nprot = 1", "[channels.email]: nobody knows the setting 'prot'; did you mean 'port'?"),
        ('[database]\nurl = "mysql://x"', "[database] url: mysql is not served; use sqlite:/// or postgresql+psycopg://"),
        ("[server", "is not valid TOML"),
    ],
)
@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_wrong_setting_is_one_sentence_that_names_the_nearest(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str, sentence: str, command: str
) -> None:
    monkeypatch.setenv("HOTLINE_SECRET_KEY", "k" * 40)
    monkeypatch.setenv("HOTLINE_TWILIO_AUTH_TOKEN", "k" * 40)
    monkeypatch.setenv("HOTLINE_TELEGRAM_SECRET_TOKEN", "k" * 40)
    file = tmp_path / "wrong.toml"
    file.write_text(settings, encoding="utf-8")
    ran = run("--settings", file, command)
    assert ran.status == (1 if command == "check" else 2)
    assert sentence in (ran.out if command == "check" else ran.err)


@SQLITE_ONLY
@pytest.mark.parametrize(
    ("secret", "remedy"),
    [
        ("secret_key", "[security] secret_key_file: "),
        ("twilio", "[channels.twilio_sms] auth_token_file: "),
        ("telegram_secret", "[channels.telegram] secret_token_file: "),
    ],
)
def test_a_missing_secret_stops_the_start_with_the_remedy(hotline: Run, installation: Installation, secret: str, remedy: str) -> None:
    (installation.folder / secret).unlink()
    ran = hotline("serve")
    assert (ran.status, ran.out) == (2, "")
    assert remedy in ran.err
    assert str(installation.folder / secret) in ran.err
    assert "is missing" in ran.err


@SQLITE_ONLY
@pytest.mark.parametrize("door", ["http", "smtp"])
def test_a_taken_port_stops_the_start_with_one_sentence(hotline: Run, installation: Installation, door: str) -> None:
    port = installation.http_port if door == "http" else installation.smtp_port
    with socket.create_server(("127.0.0.1", port)):
        ran = hotline("serve")
    assert (ran.status, ran.err.count("\n")) == (2, 1)
    assert f"127.0.0.1:{port}" in ran.err
    assert "stop" in ran.err
    assert ("[server] host and port" if door == "http" else "[channels.email]") in ran.err


@SQLITE_ONLY
def test_workers_without_redis_say_what_to_set(run: Run, installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTLINE_SETTINGS", "")  # the command sets it; this takes it away again
    monkeypatch.delitem(sys.modules, "hotline.worker", raising=False)
    ran = run("--settings", installation.settings_file, "worker")
    assert ran.status == 2
    assert '[redis] url is empty; Celery needs one, such as "redis://127.0.0.1:6379/0". Without Redis use: hotline serve' in ran.err


def test_help_tells_a_newcomer_the_first_steps(run: Run) -> None:
    ran = run("--help")
    assert ran.status == 0
    for step in ("hotline demo", "hotline db upgrade", "hotline admin create", "hotline import", "hotline serve", "hotline check"):
        assert step in ran.out


@pytest.mark.parametrize("arguments", [("ticktes",), ("tickets", "--jsn"), ("admin", "create")])
def test_a_mistyped_command_says_how_it_is_written(run: Run, arguments: tuple[str, ...]) -> None:
    ran = run(*arguments)
    assert (ran.status, ran.out, ran.err.splitlines()[0].startswith("Usage: ")) == (2, "", True)
    assert ran.err.splitlines()[-1].startswith("Error: ")


def test_a_sqlite_file_that_is_no_database_is_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"this is no database" * 100)
    settings = install(tmp_path / "x", f"sqlite:///{tmp_path / 'x.db'}").settings_file
    ran = run("--settings", settings, "check")
    assert ran.status == 1
    assert "the database does not answer" in ran.out
