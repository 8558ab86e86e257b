"""A citizen reports a matter on the web."""

from __future__ import annotations

import pytest
from sqlmodel import select

from channels.contract import RawRequest, RawResponse, Reply
from channels.models import Contact
from tests.site import Page, Site, flaws
from tickets.models import Ticket

MATTER = "The street lamp in front of number 12 has been dark for a week."


def _all_tickets(site: Site) -> list[Ticket]:
    with site.database.read() as session:
        return list(session.exec(select(Ticket)))


def test_a_report_becomes_a_ticket_and_the_receipt_names_its_number_and_code(site: Site) -> None:
    browser = site.browser()
    receipt = browser.send(browser.get("/report"), "/report", text=MATTER, name="Li Na", phone="13800001111", location="Lane 12")
    (ticket,) = _all_tickets(site)
    assert receipt.status == 200
    assert ticket.number in receipt.text
    assert ticket.lookup_code in receipt.text
    assert (ticket.text, ticket.location, ticket.channel) == (MATTER, "Lane 12", "web")


def test_a_report_needs_nothing_but_the_matter(site: Site) -> None:
    browser = site.browser()
    assert browser.send(browser.get("/report"), "/report", text=MATTER).status == 200
    assert len(_all_tickets(site)) == 1


def test_a_double_click_makes_one_ticket_and_the_same_receipt(site: Site) -> None:
    browser = site.browser()
    form = browser.get("/report")
    first, second = (browser.send(form, "/report", text=MATTER) for _ in range(2))
    (ticket,) = _all_tickets(site)
    assert ticket.lookup_code in first.text
    assert ticket.lookup_code in second.text
    assert "reached us before" in second.text


def test_two_forms_carry_two_ids(site: Site) -> None:
    browser = site.browser()
    assert browser.get("/report").form("/report").fields["form_id"] != browser.get("/report").form("/report").fields["form_id"]


def test_the_code_stands_in_no_address(site: Site) -> None:
    browser = site.browser()
    receipt = browser.send(browser.get("/report"), "/report", text=MATTER)
    (ticket,) = _all_tickets(site)
    assert not any(ticket.lookup_code in link for link in receipt.links)
    assert receipt.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("text", "", "Please write what happened"),
        ("phone", "12", "seems to be incomplete"),
        ("email", "nobody", "It should look like name@example.com"),
        ("kind", "invented", "Please choose one from the list"),
        ("name", "x" * 101, "Please shorten it to 100 characters"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_mistake_is_named_beside_its_field_and_nothing_typed_is_lost(site: Site, field: str, typed: str, sentence: str) -> None:
    browser = site.browser()
    good = {"text": MATTER, "name": "Li Na", "phone": "13800001111", "email": "li@city.example", "location": "Lane 12", "kind": "complaint"}
    page = browser.send(browser.get("/report"), "/report", **(good | {field: typed}))
    assert page.status == 422
    assert sentence in page.text
    kept = page.form("/report").fields
    assert {name: kept[name] for name in good if name != field} == {name: value for name, value in good.items() if name != field}
    assert f"#{field}" in page.links, "the list of mistakes leads to the field"
    assert flaws(page) == []
    assert _all_tickets(site) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_corrected_form_is_the_same_form(site: Site) -> None:
    browser = site.browser()
    wrong = browser.send(browser.get("/report"), "/report", text="")
    browser.send(wrong, "/report", text=MATTER)
    browser.send(wrong, "/report", text=MATTER)
    assert len(_all_tickets(site)) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_form_without_an_id_of_ours_is_asked_for_again(site: Site) -> None:
    page = site.browser().post("/report", {"text": MATTER, "form_id": "guessed"})
    assert page.status == 400
    assert page.form("/report").fields["text"] == MATTER
    assert "press Send again" in page.text
    assert _all_tickets(site) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_report_that_could_not_be_saved_keeps_its_words_and_its_id(site: Site) -> None:
    async def refuses(_adapter: str, _request: RawRequest) -> Reply:
        return Reply(RawResponse(503))

    site.app.state.reception = refuses
    browser = site.browser()
    form = browser.get("/report")
    page = browser.send(form, "/report", text=MATTER)
    assert page.status == 503
    assert page.form("/report").fields["text"] == MATTER
    assert page.form("/report").fields["form_id"] == form.form("/report").fields["form_id"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_body_larger_than_a_form_is_refused_with_a_sentence(site: Site) -> None:
    page = site.browser().post("/report", {"text": "x" * 70_000})
    assert page.status == 413
    assert "Please shorten it" in page.text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_markup_in_a_report_is_shown_as_text(site: Site) -> None:
    browser = site.browser()
    page = browser.send(browser.get("/report"), "/report", text="<script>alert(1)</script>", email="nobody")
    assert "<script>" not in page.html
    assert page.form("/report").fields["text"] == "<script>alert(1)</script>"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_cookies_are_not_kept_with_the_report(site: Site) -> None:
    seen: list[RawRequest] = []
    reception = site.app.state.reception

    async def watches(adapter: str, request: RawRequest) -> Reply:
        seen.append(request)
        reply: Reply = await reception(adapter, request)
        return reply

    site.app.state.reception = watches
    browser = site.browser()
    browser.cookies.set("hotline_session", "a secret", domain="127.0.0.1")
    browser.send(browser.get("/report"), "/report", text=MATTER)
    assert "cookie" not in seen[0].headers


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_form_speaks_the_language_of_the_browser(site: Site) -> None:
    page = site.browser(language="zh-CN,zh;q=0.9,en;q=0.5").get("/report")
    assert "发生了什么事" in page.text
    assert ("html", {"lang": "zh-Hans"}) in page.tags


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_switch_changes_the_language_and_goes_back(site: Site) -> None:
    browser = site.browser()
    page = browser.follow(browser.send(browser.get("/track"), "/language", language="zh"))
    assert page.response.url.path == "/track"
    assert "查询码" in page.text


@pytest.mark.parametrize("address", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "/\tx"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_switch_sends_nobody_to_another_site(site: Site, address: str) -> None:
    assert site.browser().post("/language", {"language": "zh", "next": address}).headers["location"] == "/report"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_citizens_pages_can_be_used_without_seeing_them(site: Site) -> None:
    browser = site.browser()
    form = browser.get("/report")
    pages: list[Page] = [form, browser.get("/track"), browser.send(form, "/report", text=MATTER), browser.post("/track", {"number": "1"})]
    assert [flaws(page) for page in pages] == [[], [], [], []]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_pending_report_gets_a_receipt_number(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_arguments: object, **_facts: object) -> None:
        raise RuntimeError("the classification is broken")

    monkeypatch.setattr("tickets.actions.opening.classify", breaks)
    browser = site.browser()
    page = browser.send(browser.get("/report"), "/report", text=MATTER)
    with site.database.read() as session:
        contact = session.exec(select(Contact)).one()
    assert page.status == 200
    assert contact.receipt in page.text
    assert "safe with us" in page.text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_form_that_the_settings_shut_names_the_number_to_call(site: Site) -> None:
    site.database.settings = site.database.settings.model_copy(update={"channels": {"web": {"enabled": False}}})
    page = site.browser().get("/report")
    assert page.status == 503
    assert "Please call 12345" in page.text
