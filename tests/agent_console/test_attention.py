"""What needs a person is seen by those who can act, and tried again by those who may."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from channels.models import Contact, ContactState
from foundation.models import AuditEntry, DueWork
from identity.access import Role
from tests.agent_console.conftest import SignIn, report
from tests.site import Site, flaws

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def pending(site: Site, monkeypatch: pytest.MonkeyPatch) -> Contact:
    """A report that could not become a ticket."""

    def breaks(*_arguments: object, **_facts: object) -> None:
        raise RuntimeError("the classification is broken")

    with monkeypatch.context() as broken:
        broken.setattr("tickets.actions.opening.classify", breaks)
        report(site, "The street lamp is dark.")
    with site.database.read() as session:
        return session.exec(select(Contact).where(Contact.state == ContactState.PENDING)).one()


def test_a_pending_contact_is_shown_with_its_reason(pending: Contact, sign_in: SignIn) -> None:
    page = sign_in(Role.MANAGER).get("/attention")
    assert pending.receipt in page.text
    assert "RuntimeError at" in page.text
    assert "the classification is broken" not in page.text, "the words of an error may be a citizen's"
    assert flaws(page) == []


def test_every_page_tells_those_who_can_act_that_something_waits(pending: Contact, sign_in: SignIn) -> None:
    assert "One thing needs a person." in sign_in(Role.ADMINISTRATOR).get("/").text
    assert "needs a person" not in sign_in(Role.AGENT).get("/").text


def test_an_agent_may_not_see_the_page(sign_in: SignIn) -> None:
    page = sign_in(Role.AGENT).get("/attention")
    assert page.status == 403
    assert "Your role does not allow it." in page.text
    assert flaws(page) == []


def test_an_administrator_tries_again_and_it_is_noted(site: Site, pending: Contact, sign_in: SignIn) -> None:
    browser = sign_in(Role.ADMINISTRATOR)
    page = browser.follow(browser.send(browser.get("/attention"), f"/attention/contact/{pending.id}/retry"))
    assert "It is being tried again." in page.text
    with site.database.read() as session:
        work = session.exec(select(DueWork).where(DueWork.subject_id == pending.id)).one()
        noted = session.exec(select(AuditEntry).where(AuditEntry.action == "contact.retried")).one()
        assert work.due_at <= session.now + timedelta(seconds=1)
    assert noted.actor.startswith("staff:")


def test_a_manager_sees_no_button_and_may_not_try_again(pending: Contact, sign_in: SignIn) -> None:
    browser = sign_in(Role.MANAGER)
    page = browser.get("/attention")
    path = f"/attention/contact/{pending.id}/retry"
    assert path not in [form.action for form in page.forms]
    assert browser.post(path, {"csrf_token": page.form("/sign-out").fields["csrf_token"]}).status == 403


def test_a_forged_retry_is_refused(site: Site, pending: Contact, sign_in: SignIn) -> None:
    browser = sign_in(Role.ADMINISTRATOR)
    assert browser.post(f"/attention/contact/{pending.id}/retry", {"csrf_token": "guessed"}).status == 403
    with site.database.read() as session:
        assert session.exec(select(AuditEntry).where(AuditEntry.action == "contact.retried")).all() == []


def test_a_kind_of_thing_that_cannot_be_tried_again_is_no_page(pending: Contact, sign_in: SignIn) -> None:
    browser = sign_in(Role.ADMINISTRATOR)
    token = browser.get("/").form("/sign-out").fields["csrf_token"]
    assert browser.post(f"/attention/invented/{pending.id}/retry", {"csrf_token": token}).status == 404


def test_when_nothing_waits_the_page_says_so(sign_in: SignIn) -> None:
    page = sign_in(Role.MANAGER).get("/attention")
    assert "Nothing needs you here" in page.text
    assert flaws(page) == []
