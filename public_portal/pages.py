"""How a citizen's page is answered: in their language, kept by nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from foundation.database import Database
from foundation.pages import PAGE_HEADERS, chosen_language, page
from foundation.settings import Settings

TEMPLATES = Path(__file__).parent / "templates"


def settings_of(request: Request) -> Settings:
    """Return the settings in force."""
    database: Database = request.app.state.database
    return database.settings


def language_of(request: Request) -> str:
    """Return the language that the citizen reads."""
    accepts = request.headers.get("accept-language", "")
    return chosen_language(request.cookies, accepts=accepts, default=settings_of(request).city.language)


def answer(request: Request, template: str, *, status: int = 200, next_path: str = "", **facts: Any) -> HTMLResponse:
    """Return a page.

    next_path   where the language switch comes back to; "" for a page that cannot be fetched again, which hides the switch
    """
    city = settings_of(request).city
    html = page(TEMPLATES, template, language_of(request), city=city, next_path=next_path, here=request.url.path, **facts)
    return HTMLResponse(html, status_code=status, headers=PAGE_HEADERS)
