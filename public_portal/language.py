"""The switch between the languages, for citizens and staff alike: it sets a cookie and goes back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse

from foundation.i18n import LANGUAGES
from foundation.pages import LANGUAGE_COOKIE, LANGUAGE_PATH, local_path
from foundation.security import who_may_call
from public_portal.pages import settings_of

router = APIRouter()

YEAR_SECONDS = 365 * 24 * 3600


@router.post(LANGUAGE_PATH)
@who_may_call("anyone")
def choose_language(request: Request, language: Annotated[str, Form()] = "", next: Annotated[str, Form()] = "/report") -> RedirectResponse:
    """Remember the language that the reader chose. A forged call changes nothing but that, so it needs no token."""
    response = RedirectResponse(local_path(next, "/report"), status_code=303)
    if language in LANGUAGES:
        is_https = settings_of(request).server.public_base_url.startswith("https:")
        response.set_cookie(LANGUAGE_COOKIE, language, max_age=YEAR_SECONDS, httponly=True, secure=is_https, samesite="lax")
    return response
