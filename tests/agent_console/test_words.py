"""Every code has a name, every event a sentence, and every sentence its Chinese translation."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from agent_console import words
from channels.contract import Channel, ContactKind, Purpose
from channels.models import ContactState, MessageState, RawState
from foundation.i18n import LOCALE_FOLDER
from identity.access import ActorKind
from tickets import timeline
from tickets.lifecycle import PUBLIC_EVENTS, Confidentiality, EventKind, TicketKind, TicketState, Urgency

ROOT = Path(__file__).parents[2]
PACKAGES = ("agent_console", "channels", "followup", "foundation", "hotline", "identity", "public_portal", "routing", "tickets")
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "say": (2,), "mark": None, "sentence": None}
PLACE = re.compile(r"%\((\w+)\)s")


@pytest.mark.parametrize(
    ("names", "members"),
    [
        (words.CHANNEL_NAMES, Channel),
        (words.CONTACT_KIND_NAMES, ContactKind),
        (words.PURPOSE_NAMES, Purpose),
        (words.MESSAGE_STATE_NAMES, MessageState),
        (words.CONTACT_STATE_NAMES, ContactState),
        (words.RAW_STATE_NAMES, RawState),
        (words.ACTOR_NAMES, ActorKind),
        (timeline.SENTENCES, EventKind),
        (timeline.PUBLIC_SENTENCES, PUBLIC_EVENTS),
        (timeline.STATE_NAMES, TicketState),
        (timeline.PUBLIC_STATE_SENTENCES, TicketState),
        (timeline.KIND_NAMES, TicketKind),
        (timeline.URGENCY_NAMES, Urgency),
        (timeline.CONFIDENTIALITY_NAMES, Confidentiality),
    ],
)
def test_every_member_has_its_words(names: Mapping[object, str], members: object) -> None:
    assert set(names) == set(members)  # type: ignore[call-overload]


def _texts(package: str) -> set[str | tuple[str, ...]]:
    """Return every text of a package that people read."""
    found = extract_from_dir(
        str(ROOT / package), method_map=[("**.py", "python"), ("**/templates/**.html", "jinja2")], keywords=KEYWORDS, comment_tags=()
    )
    return {text for _, _, text, _, _ in found if text}


def _chinese() -> Catalog:
    return read_po(io.BytesIO((LOCALE_FOLDER / "zh.po").read_bytes()), locale="zh_Hans_CN")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_text_of_a_package_has_its_chinese_translation(package: str) -> None:
    catalogue = _chinese()
    untranslated = [text for text in _texts(package) if not (catalogue.get(text) and catalogue.get(text).string)]  # type: ignore[union-attr]
    assert untranslated == []


def test_no_translation_outlives_its_text() -> None:
    texts = {text if isinstance(text, str) else text[0] for package in PACKAGES for text in _texts(package)}
    outlived = {message.id if isinstance(message.id, str) else message.id[0] for message in _chinese() if message.id} - texts
    assert outlived == set()


def test_a_translation_fills_the_same_places_as_its_text() -> None:
    for message in _chinese():
        english = message.id if isinstance(message.id, str) else message.id[-1]
        chinese = " ".join([message.string] if isinstance(message.string, str) else message.string or ())
        assert set(PLACE.findall(english)) == set(PLACE.findall(chinese)), english
