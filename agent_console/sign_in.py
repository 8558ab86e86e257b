"""Signing in with a password or a one-time link, and signing out."""

from __future__ import annotations

import threading
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

import identity.actions
import identity.queries
from agent_console.visits import (
    SESSION_COOKIE,
    StaffRoute,
    StaleFormError,
    Visitor,
    answer,
    database_of,
    is_https,
    language_of,
    sent_by_own_form,
    settings_of,
)
from channels.reading import clean_text
from foundation.i18n import mark, say
from foundation.pages import local_path
from foundation.security import equals, new_token, who_may_call
from identity.actions import SignInError

router = APIRouter(route_class=StaffRoute)

PATH = "/sign-in"
# Before there is a session, a cookie stands in for it: the form must carry what the cookie says. Another site can send
# our form but neither read this cookie nor, as it is SameSite=Strict, have it sent along.
# A hash takes 64 MB and a core for a moment: those who guess passwords in a crowd wait in front of it, nobody else does.
HASHING = threading.BoundedSemaphore(2)
HASHING_SECONDS = 0.5
BUSY = SignInError(mark("Too many people are signing in at this moment. Please try again in a minute."))

FORM_COOKIE = "hotline_sign_in"
FORM_SECONDS = 4 * 3600
MAX_PASSWORD = 1000  # characters that are hashed at most


@router.get(PATH)
@who_may_call("anyone")
def show_sign_in(request: Request, next: str = "/") -> Response:
    """Return the question for name and password; who is signed in goes on to `next`."""
    if _is_signed_in(request):
        return RedirectResponse(local_path(next), status_code=303)
    return _form_page(request, "sign_in/password.html", next=local_path(next))


@router.post(PATH)
@who_may_call("anyone")
def sign_in(
    request: Request,
    username: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    form_token: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Open a session, or ask again and say why not."""
    _require_own_form(request, form_token)
    name = clean_text(username).strip()[:80]
    with database_of(request).read() as session:
        stored = identity.queries.stored_password(session, name)
    if not HASHING.acquire(timeout=HASHING_SECONDS):
        return _form_page(request, "sign_in/password.html", refusal=BUSY, status=429, next=local_path(next), username=username)
    try:
        is_right = identity.actions.password_is_right(stored, clean_text(password[:MAX_PASSWORD]))
    finally:
        HASHING.release()
    with database_of(request).write() as session:
        token = identity.actions.sign_in(session, name, is_right=is_right)
    if isinstance(token, SignInError):
        return _form_page(request, "sign_in/password.html", refusal=token, status=401, next=local_path(next), username=username)
    return _signed_in(request, token, local_path(next))


@router.get(PATH + "/{link_token}")
@who_may_call("anyone")
def show_sign_in_link(request: Request, link_token: str) -> Response:
    """Return a page with a button. Fetching it spends nothing, because mail and chat programs fetch links to preview them."""
    return _form_page(request, "sign_in/link.html", link_token=link_token)


@router.post(PATH + "/{link_token}")
@who_may_call("anyone")
def sign_in_with_link(request: Request, link_token: str, form_token: Annotated[str, Form()] = "") -> Response:
    """Spend the link and open a session."""
    _require_own_form(request, form_token)
    with database_of(request).write() as session:
        token = identity.actions.sign_in_with_link(session, link_token)
    if isinstance(token, SignInError):
        return _form_page(request, "sign_in/password.html", refusal=token, status=401, next="/")
    return _signed_in(request, token, "/")


@router.post("/sign-out")
@who_may_call("anyone")
def sign_out(request: Request, _visitor: Annotated[Visitor, Depends(sent_by_own_form)]) -> Response:
    """End the session in the database and in the browser."""
    with database_of(request).write() as session:
        identity.actions.sign_out(session, request.cookies.get(SESSION_COOKIE, ""))
    response = RedirectResponse(PATH, status_code=303)
    response.delete_cookie(SESSION_COOKIE, httponly=True, secure=is_https(request), samesite="lax")
    return response


def _is_signed_in(request: Request) -> bool:
    token = request.cookies.get(SESSION_COOKIE, "")
    if not token:
        return False
    with database_of(request).read() as session:
        return identity.queries.session_of(session, token) is not None


def _require_own_form(request: Request, form_token: str) -> None:
    expected = request.cookies.get(FORM_COOKIE, "")
    if not expected or not equals(form_token, expected):
        raise StaleFormError


def _form_page(
    request: Request,
    template: str,
    *,
    refusal: SignInError | None = None,
    status: int = 200,
    next: str = "/",
    username: str = "",
    link_token: str = "",
) -> Response:
    form_token = request.cookies.get(FORM_COOKIE) or new_token()
    response = answer(
        request,
        template,
        visitor=None,
        status=status,
        next_path=f"{PATH}/{link_token}" if link_token else PATH,
        next=next,
        username=username,
        link_token=link_token,
        form_token=form_token,
        refusal=say(language_of(request), str(refusal)) if refusal else "",
    )
    response.set_cookie(
        FORM_COOKIE, form_token, max_age=FORM_SECONDS, path=PATH, httponly=True, secure=is_https(request), samesite="strict"
    )
    return response


def _signed_in(request: Request, token: str, address: str) -> Response:
    response = RedirectResponse(address, status_code=303)
    hours = settings_of(request).security.session_hours
    response.set_cookie(SESSION_COOKIE, token, max_age=hours * 3600, httponly=True, secure=is_https(request), samesite="lax")
    response.delete_cookie(FORM_COOKIE, path=PATH)
    return response
