"""Who is looking: the signed-in visitor of a page, their language, the token of their forms, and how they are answered."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute

import channels.queries
import identity.queries
from foundation.database import Database
from foundation.i18n import mark, say
from foundation.pages import PAGE_HEADERS, chosen_language, page
from foundation.security import equals
from foundation.settings import Settings
from identity.access import Action, Actor, ForbiddenError, may

TEMPLATES = Path(__file__).parent / "templates"
SESSION_COOKIE = "hotline_session"


@dataclass(frozen=True, slots=True)
class Visitor:
    """A signed-in person at their browser.

    needs_person   how many contacts, messages and jobs wait for a person; 0 for those who may not see them
    """

    actor: Actor
    language: str
    csrf_token: str
    needs_person: int = 0

    def may(self, action: Action) -> bool:
        return may(self.actor, action)


class NotSignedInError(Exception):
    """Nobody is signed in with this browser; sign in first."""


class StaleFormError(Exception):
    """The form did not come from a page of this session; reload the page and try again."""


class NotFoundError(Exception):
    """There is no such thing, or none that this visitor may see: both are answered alike."""


class StaffRoute(APIRoute):
    """A route that turns the refusals of this package into pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_or_refuse(request: Request) -> Response:
            try:
                return await handle(request)
            except NotSignedInError:
                return RedirectResponse(f"/sign-in?next={quote(_way_back(request), safe='')}", status_code=303)
            except ForbiddenError:
                return refusal(request, HTTPStatus.FORBIDDEN, FORBIDDEN)
            except StaleFormError:
                return refusal(request, HTTPStatus.FORBIDDEN, STALE_FORM)
            except NotFoundError:
                return refusal(request, HTTPStatus.NOT_FOUND, NOT_FOUND)

        return handle_or_refuse


FORBIDDEN = (mark("You may not see this page"), mark("Your role does not allow it. Ask a manager, or sign in with another account."))
STALE_FORM = (mark("This form is out of date"), mark("Nothing was changed. Go back, reload the page and try again."))
NOT_FOUND = (mark("There is no such page for you"), mark("Check the number. The ticket may also belong to a department that is not yours."))


def _way_back(request: Request) -> str:
    """Return where to go on after the sign-in: the page asked for, or the list when it was a form that was sent."""
    if request.method != "GET":
        return "/"
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def refusal(request: Request, status: HTTPStatus, sentences: tuple[str, str]) -> HTMLResponse:
    """Return a page that says what is not possible and what to do instead."""
    language, (heading, remedy) = language_of(request), sentences
    visitor = getattr(request.state, "visitor", None)
    facts = {"heading": say(language, heading), "remedy": say(language, remedy)}
    return answer(request, "refusal.html", visitor=visitor, status=status, **facts)


# ── what the routes depend on ──


def signed_in(request: Request) -> Visitor:
    """Return who is signed in. Raises NotSignedInError, which becomes the way to the sign-in page."""
    token = request.cookies.get(SESSION_COOKIE, "")
    with database_of(request).read() as session:
        found = identity.queries.session_of(session, token) if token else None
        if found is None:
            raise NotSignedInError
        staff, staff_session = found
        actor = identity.queries.actor_of(staff)
        needs_person = channels.queries.attention_count(session) if may(actor, Action.SEE_ATTENTION) else 0
    language = chosen_language(request.cookies, preferred=staff.language)
    visitor = Visitor(actor, language, staff_session.csrf_token, needs_person)
    request.state.visitor = visitor
    return visitor


def sent_by_own_form(request: Request, csrf_token: Annotated[str, Form()] = "") -> Visitor:
    """Return who sent a form of ours. Raises StaleFormError when the form is not from this session."""
    visitor = signed_in(request)
    if not csrf_token or not equals(csrf_token, visitor.csrf_token):
        raise StaleFormError
    return visitor


def database_of(request: Request) -> Database:
    """Return the database of this server."""
    database: Database = request.app.state.database
    return database


def settings_of(request: Request) -> Settings:
    """Return the settings in force."""
    return database_of(request).settings


def is_https(request: Request) -> bool:
    """Return whether the public reaches us over https, so that cookies must not travel otherwise."""
    return settings_of(request).server.public_base_url.startswith("https:")


def language_of(request: Request) -> str:
    """Return the language of the page: the visitor's when somebody is signed in."""
    visitor = getattr(request.state, "visitor", None)
    if visitor is not None:
        return str(visitor.language)
    accepts = request.headers.get("accept-language", "")
    return chosen_language(request.cookies, accepts=accepts, default=settings_of(request).city.language)


def answer(
    request: Request, template: str, *, visitor: Visitor | None, status: int = 200, next_path: str = "", **facts: Any
) -> HTMLResponse:
    """Return a page.

    next_path   where the language switch comes back to; "" for a page that cannot be fetched again, which hides the switch
    """
    city = settings_of(request).city
    html = page(
        TEMPLATES,
        template,
        language_of(request),
        city=city,
        zone=city.zone,
        here=request.url.path,
        next_path=next_path,
        visitor=visitor,
        sees_attention=visitor is not None and visitor.may(Action.SEE_ATTENTION),
        **facts,
    )
    return HTMLResponse(html, status_code=status, headers=PAGE_HEADERS)
