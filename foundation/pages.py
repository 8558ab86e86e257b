"""How every page is made: templates, the reader's language, moments in the city's time zone, static files.

Knows no web framework: it returns text, and `agent_console` and `public_portal` answer with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from foundation.i18n import LANGUAGES, translations

TEMPLATE_FOLDER = Path(__file__).parent / "templates"
STATIC_FOLDER = Path(__file__).parent / "static"
STATIC_PATH = "/static"

LANGUAGE_COOKIE = "hotline_language"
LANGUAGE_PATH = "/language"
LANGUAGE_NAMES = {"en": "English", "zh": "中文"}  # each in its own language, for those who read no other
HTML_LANGUAGES = {"en": "en", "zh": "zh-Hans"}

# What `hotline` sends with every page: no scripts from elsewhere, nothing inline, no framing, no address given away.
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
# Pages show citizens' matters: no browser, proxy or shared computer keeps a copy.
PAGE_HEADERS = {"Cache-Control": "no-store"}

_LONG_FORMATS = {"en": "EEE d MMM y, HH:mm", "zh": "y年M月d日 EEE HH:mm"}


def page(folder: Path, template: str, language: str, **facts: Any) -> str:
    """Return a page as HTML.

    folder     the package's templates; `foundation/templates` is looked at after it
    facts      what the template shows; a name that it misses is an error
    """
    return _environment(folder, language).get_template(template).render(**facts)


@cache
def _environment(folder: Path, language: str) -> Environment:
    """Return the templates of one package in one language; a catalogue belongs to an environment, not to a page."""
    environment = Environment(
        loader=FileSystemLoader([folder, TEMPLATE_FOLDER]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    environment.globals.update(
        language=language,
        html_language=HTML_LANGUAGES.get(language, language),
        language_names=LANGUAGE_NAMES,
        language_path=LANGUAGE_PATH,
        asset=asset,
    )
    environment.filters.update(moment=_moment_filter, long_moment=_long_moment_filter(language), lines=_lines)
    return environment


def long_moment(moment: datetime, zone: ZoneInfo, language: str) -> str:
    """Return a moment as people say it in the city: "Mon 4 May 2026, 17:30"."""
    return format_datetime(moment.astimezone(zone), _LONG_FORMATS.get(language, _LONG_FORMATS["en"]), locale=language)


def short_moment(moment: datetime, zone: ZoneInfo) -> str:
    """Return a moment for a table, in the city's time: "2026-05-04 17:30"."""
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _moment_filter(moment: datetime, zone: ZoneInfo) -> Markup:
    return _time_element(moment, short_moment(moment, zone))


def _long_moment_filter(language: str) -> Callable[[datetime, ZoneInfo], Markup]:
    return lambda moment, zone: _time_element(moment, long_moment(moment, zone, language))


def _time_element(moment: datetime, shown: str) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(moment.isoformat(timespec="seconds"), shown)


def _lines(text: str) -> Markup:
    """Return somebody's words with their line breaks kept."""
    return Markup("<br>").join(escape(line) for line in text.strip().splitlines())


@cache
def asset(name: str) -> str:
    """Return the address of a static file; it changes with the content, so browsers may keep the file for ever."""
    return f"{STATIC_PATH}/{name}?v={hashlib.sha256((STATIC_FOLDER / name).read_bytes()).hexdigest()[:10]}"


def chosen_language(cookies: Mapping[str, str], *, preferred: str = "", accepts: str = "", default: str = "en") -> str:
    """Return the language to answer in: the one chosen by the switch, else `preferred`, else the browser's, else `default`.

    accepts   the Accept-Language header
    """
    named = [cookies.get(LANGUAGE_COOKIE, ""), preferred, *_accepted(accepts)]
    return next((language for language in named if language in LANGUAGES), default)


def _accepted(header: str) -> list[str]:
    """Return the primary languages of an Accept-Language header, best first; its own order decides between equals."""
    weighed: list[tuple[float, str]] = []
    for part in header[:500].split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            weighed.append((float(weight or 1), tag.partition("-")[0].lower()))
        except ValueError:
            continue
    return [tag for weight, tag in sorted(weighed, key=lambda pair: -pair[0]) if weight > 0]


def local_path(address: str, default: str = "/") -> str:
    """Return `address` when it is a path of this site, else `default`: nobody is sent elsewhere by a link that we made.

    Browsers read a backslash as a slash and drop control characters, so both are refused.
    """
    if not address.startswith("/") or address.startswith("//") or "\\" in address or any(ord(sign) < 32 for sign in address):
        return default
    try:
        parts = urlsplit(address)
    except ValueError:
        return default
    return default if parts.scheme or parts.netloc else address
