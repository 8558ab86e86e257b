"""The staff sign in, and nobody else gets in."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlmodel import select

from foundation.clock import SetClock
from foundation.settings import ServerSettings
from identity.access import Role
from identity.actions import create_sign_in_link
from identity.models import Staff, StaffSession
from tests.agent_console.conftest import PASSWORD, SignIn, create_staff
from tests.site import Browser, Page, Site, flaws

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def _type(browser: Browser, username: str, password: str, *, at: str = "/sign-in") -> Page:
    return browser.send(browser.get(at), "/sign-in", username=username, password=password)


def _link(site: Site) -> str:
    with site.database.write() as session:
        return create_sign_in_link(session, session.exec(select(Staff)).one())


@pytest.mark.parametrize("path", ["/", "/tickets/2026-000001", "/attention", "/?state=closed"])
def test_who_is_not_signed_in_is_led_to_the_sign_in_and_back(site: Site, path: str) -> None:
    create_staff(site, "wang", Role.MANAGER)
    browser = site.browser()
    page = browser.get(path)
    assert page.status == 303
    assert page.headers["location"].startswith("/sign-in?next=")
    assert _type(browser, "wang", PASSWORD, at=page.headers["location"]).headers["location"] == path


def test_the_session_cookie_cannot_be_read_by_scripts_or_sent_by_other_sites_forms(site: Site) -> None:
    create_staff(site, "wang", Role.AGENT)
    cookie = _type(site.browser(), "wang", PASSWORD).headers["set-cookie"]
    assert "hotline_session=" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie


def test_behind_https_the_cookies_never_travel_in_the_clear(site: Site) -> None:
    server = ServerSettings(public_base_url="https://hotline.city.example")
    site.database.settings = site.database.settings.model_copy(update={"server": server})
    create_staff(site, "wang", Role.AGENT)
    browser = site.browser(base_url="https://hotline.city.example")
    form = browser.get("/sign-in")
    signed_in = browser.send(form, "/sign-in", username="wang", password=PASSWORD)
    assert "Secure" in form.headers["set-cookie"]
    assert "Secure" in signed_in.headers["set-cookie"].partition("hotline_sign_in")[0]


def test_the_database_holds_no_token_that_opens_a_session(site: Site) -> None:
    create_staff(site, "wang", Role.AGENT)
    browser = site.browser()
    _type(browser, "wang", PASSWORD)
    with site.database.read() as session:
        stored = session.exec(select(StaffSession)).one()
    assert browser.cookies["hotline_session"] not in stored.model_dump().values()


def test_a_wrong_password_is_refused_in_the_readers_language(site: Site) -> None:
    create_staff(site, "wang", Role.AGENT)
    page = _type(site.browser(language="zh"), "wang", "wrong")
    assert page.status == 401
    assert "用户名或密码错误" in page.text
    assert page.form("/sign-in").fields["username"] == "wang"
    assert flaws(page) == []


def test_too_many_wrong_passwords_lock_the_account_for_a_while(site: Site, clock: SetClock) -> None:
    create_staff(site, "wang", Role.AGENT)
    browser = site.browser()
    for _ in range(site.database.settings.security.sign_in_attempts):
        assert _type(browser, "wang", "wrong").status == 401
    assert "is locked for 15 minutes" in _type(browser, "wang", PASSWORD).text
    clock.set(clock.now() + timedelta(minutes=16))
    assert _type(browser, "wang", PASSWORD).status == 303


@pytest.mark.parametrize("name", ["a\x00b", "\x00", "x" * 5000])
def test_a_name_that_no_database_stores_is_a_wrong_name(site: Site, name: str) -> None:
    assert _type(site.browser(), name, PASSWORD).status == 401


def test_a_crowd_of_guesses_waits_in_front_of_the_hash(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = threading.BoundedSemaphore(1)
    taken.acquire()
    monkeypatch.setattr("agent_console.sign_in.HASHING", taken)
    monkeypatch.setattr("agent_console.sign_in.HASHING_SECONDS", 0.01)
    page = _type(site.browser(), "wang", PASSWORD)
    assert page.status == 429
    assert "Too many people are signing in" in page.text


def test_a_sign_in_form_from_another_site_is_refused(site: Site) -> None:
    create_staff(site, "wang", Role.AGENT)
    page = site.browser().post("/sign-in", {"username": "wang", "password": PASSWORD, "form_token": "guessed"})
    assert page.status == 403
    assert "hotline_session" not in page.headers.get("set-cookie", "")


@pytest.mark.parametrize("address", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "javascript:alert(1)"])
def test_the_sign_in_leads_nobody_to_another_site(site: Site, address: str) -> None:
    create_staff(site, "wang", Role.AGENT)
    browser = site.browser()
    page = browser.send(browser.get("/sign-in"), "/sign-in", username="wang", password=PASSWORD, next=address)
    assert page.headers["location"] == "/"


def test_fetching_a_sign_in_link_does_not_spend_it(site: Site) -> None:
    create_staff(site, "wang", Role.AGENT)
    path = f"/sign-in/{_link(site)}"
    preview = site.browser().get(path)
    assert "hotline_session" not in preview.headers["set-cookie"]
    browser = site.browser()
    assert browser.follow(browser.send(browser.get(path), path)).status == 200
    assert browser.get("/").status == 200


def test_a_sign_in_link_works_once(site: Site) -> None:
    create_staff(site, "wang", Role.AGENT)
    path = f"/sign-in/{_link(site)}"
    first, second = site.browser(), site.browser()
    first.send(first.get(path), path)
    page = second.send(second.get(path), path)
    assert page.status == 401
    assert "was used already or has expired" in page.text


def test_signing_out_ends_the_session_everywhere(site: Site, sign_in: SignIn) -> None:
    browser = sign_in(Role.AGENT)
    token = browser.cookies["hotline_session"]
    browser.send(browser.get("/"), "/sign-out")
    thief = site.browser()
    thief.cookies.set("hotline_session", token)
    assert thief.get("/").status == 303


def test_a_forged_sign_out_is_refused(sign_in: SignIn) -> None:
    browser = sign_in(Role.AGENT)
    assert browser.post("/sign-out", {"csrf_token": "guessed"}).status == 403
    assert browser.get("/").status == 200


def test_a_session_ends_after_its_hours(site: Site, sign_in: SignIn, clock: SetClock) -> None:
    browser = sign_in(Role.AGENT)
    clock.set(clock.now() + timedelta(hours=site.database.settings.security.session_hours, seconds=1))
    assert browser.get("/").status == 303


def test_the_pages_speak_the_language_of_the_account_until_the_switch_says_otherwise(site: Site) -> None:
    create_staff(site, "wang", Role.AGENT, language="zh")
    browser = site.browser()
    _type(browser, "wang", PASSWORD)
    page = browser.get("/")
    assert "工单" in page.text
    assert "There are no tickets yet" in browser.follow(browser.send(page, "/language", language="en")).text
