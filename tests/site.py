"""The whole web application on a test's database, and a browser that reads its pages as a person does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx
from fastapi import FastAPI

from foundation.clock import Clock
from foundation.database import Database
from foundation.groups import GroupWriter
from foundation.settings import Settings
from hotline.app import create_app
from hotline.office import open_office

# Doors that need a provider's secret stay shut: pages do not depend on them.
SHUT: dict[str, dict[str, Any]] = {name: {"enabled": False} for name in ("email", "twilio_sms", "twilio_voice", "telegram")}


@dataclass(frozen=True, slots=True)
class Site:
    """The application and what stands behind it."""

    app: FastAPI
    database: Database

    def browser(self, *, language: str = "en", base_url: str = "http://127.0.0.1:8000") -> Browser:
        """Return a browser of somebody who never was here."""
        return Browser(self.app, base_url=base_url, headers={"accept-language": language})


@contextmanager
def open_site(settings: Settings, clock: Clock) -> Iterator[Site]:
    """Give the application; no port is opened, requests go straight to it."""
    office = open_office(settings.model_copy(update={"channels": SHUT | settings.channels}), clock)
    writer = GroupWriter(office.database, group_size=settings.work.group_size)
    try:
        yield Site(create_app(office, writer), office.database)
    finally:
        writer.close()
        office.close()


@dataclass(slots=True)
class Form:
    """A form as it stands in a page."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class Page(HTMLParser):
    """An answer as a person sees it: its text, its forms, its links."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.response = response
        self.status = response.status_code
        self.headers = response.headers
        self.html = response.text
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self.tags: list[tuple[str, dict[str, str]]] = []
        self._texts: list[str] = []
        self._textarea: str | None = None
        self.feed(self.html)

    @property
    def text(self) -> str:
        """Return the visible words, white space folded."""
        return " ".join("".join(self._texts).split())

    def form(self, action: str) -> Form:
        """Return the form that is sent to `action`."""
        return next(form for form in self.forms if form.action == action)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.append((tag, values))
        if tag == "form":
            self.forms.append(Form(values.get("action", ""), values.get("method", "get")))
        elif tag in {"input", "button", "textarea", "select"} and values.get("name") and self.forms:
            self.forms[-1].fields.setdefault(values["name"], values.get("value", ""))
            self._textarea = values["name"] if tag == "textarea" else None
        elif tag == "option" and "selected" in values:
            self.forms[-1].fields["kind"] = values.get("value", "")
        elif tag == "a":
            self.links[values.get("href", "")] = values.get("class", "")
        elif tag == "br":
            self._texts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._textarea = None
        self._texts.append(" ")

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.forms[-1].fields[self._textarea] += data.removeprefix("\n")
        self._texts.append(data)


class Browser:
    """Keeps cookies, sends forms with their hidden fields, follows redirects when told to."""

    def __init__(self, app: FastAPI, *, base_url: str, headers: dict[str, str]) -> None:
        self._app = app
        self._base_url = base_url
        self._headers = headers
        self.cookies = httpx.Cookies()

    def get(self, path: str) -> Page:
        return self._ask("GET", path)

    def post(self, path: str, data: dict[str, str]) -> Page:
        return self._ask("POST", path, data=data)

    def send(self, page: Page, action: str, **typed: str) -> Page:
        """Send a form of a page with what a person typed into it."""
        return self.post(action, page.form(action).fields | typed)

    def follow(self, page: Page) -> Page:
        """Go where a page sends its reader."""
        return self.get(page.headers["location"])

    def _ask(self, method: str, path: str, *, data: dict[str, str] | None = None) -> Page:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(
                transport=transport, base_url=self._base_url, cookies=self.cookies, headers=self._headers
            ) as client:
                response = await client.request(method, path, data=data)
                self.cookies = client.cookies
                return response

        return Page(asyncio.run(ask()))


def flaws(page: Page) -> list[str]:
    """Return what would keep somebody with a screen reader, or our own content policy, from using a page; empty when nothing."""
    found = []
    ids = [values["id"] for _, values in page.tags if "id" in values]
    labels = {values.get("for") for tag, values in page.tags if tag == "label"}
    if not next(values.get("lang") for tag, values in page.tags if tag == "html"):
        found.append("the page names no language")
    if sum(tag == "h1" for tag, _ in page.tags) != 1:
        found.append("the page needs exactly one main heading")
    if len(ids) != len(set(ids)):
        found.append("an id stands twice")
    for tag, values in page.tags:
        if tag in {"input", "select", "textarea"} and values.get("type") != "hidden" and values.get("id") not in labels:
            found.append(f"{values.get('name')} has no label")
        if tag == "img" and "alt" not in values:
            found.append("a picture has no words for those who do not see it")
        if tag in {"style", "script"} or "style" in values or any(name.startswith("on") for name in values):
            found.append(f"{tag}: inline styles and scripts are refused by the content policy")
        found.extend(f"{tag} points to {name}, which is missing" for name in values.get("aria-describedby", "").split() if name not in ids)
    return found
