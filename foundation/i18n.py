"""Every sentence that a person reads, in English and Simplified Chinese.

Catalogues are `foundation/locale/<language>.po`; they are read at start, so there is nothing to compile.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = ("en", "zh")
LOCALE_FOLDER = Path(__file__).parent / "locale"

# A sentence before it is translated, as stored with events: the English text and the values that go into it.
Sentence = tuple[str, Mapping[str, Any]]


def mark(text: str) -> str:
    """Return `text`; marks it for translation where it is stored now and said later."""
    return text


def sentence(text: str, **values: Any) -> Sentence:
    """Return a sentence to store: the English text with %(name)s places, and the values for them."""
    return text, values


@cache
def translations(language: str) -> NullTranslations:
    """Return the catalogue of a language; English for one that we do not have."""
    path = LOCALE_FOLDER / f"{language}.po"
    if not path.exists():
        return NullTranslations()
    buffer = io.BytesIO()
    with path.open("rb") as file:
        write_mo(buffer, read_po(file))
    buffer.seek(0)
    return GNUTranslations(buffer)


def translator(language: str) -> Callable[[str], str]:
    """Return gettext for a language."""
    return translations(language).gettext


def say(language: str, text: str, **values: Any) -> str:
    """Return `text` in `language`, with its %(name)s places filled."""
    return translations(language).gettext(text) % values if values else translations(language).gettext(text)


def language_of(text: str, default: str = "en") -> str:
    """Return "zh" when the text has Han characters, "en" when it has Latin letters only, else `default`."""
    if any("\u4e00" <= character <= "\u9fff" for character in text):
        return "zh"
    return "en" if any(character.isascii() and character.isalpha() for character in text) else default
