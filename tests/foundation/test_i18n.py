from __future__ import annotations

from pathlib import Path

import pytest

from foundation import i18n

CATALOGUE = """\
msgid ""
msgstr "Content-Type: text/plain; charset=utf-8\\n"

msgid "We received your report %(number)s."
msgstr "您的诉求 %(number)s 已收到。"

msgid "Closed"
msgstr "已办结"

msgid "100% sure"
msgstr "100% 确定"
"""


@pytest.fixture(autouse=True)
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small catalogue, so that these tests do not change with the product's sentences."""
    (tmp_path / "zh.po").write_text(CATALOGUE, encoding="utf-8")
    monkeypatch.setattr(i18n, "LOCALE_FOLDER", tmp_path)
    i18n.translations.cache_clear()
    monkeypatch.setattr(i18n, "translations", i18n.translations.__wrapped__)


def test_a_sentence_is_said_in_the_readers_language() -> None:
    assert i18n.say("zh", "Closed") == "已办结"
    assert i18n.translator("zh")("Closed") == "已办结"


def test_english_is_the_source_and_needs_no_catalogue() -> None:
    assert i18n.say("en", "We received your report %(number)s.", number="2026-7") == "We received your report 2026-7."


def test_values_go_into_their_places_after_the_translation() -> None:
    assert i18n.say("zh", "We received your report %(number)s.", number="2026-7") == "您的诉求 2026-7 已收到。"


def test_a_sentence_without_a_translation_stays_english() -> None:
    assert i18n.say("zh", "Nobody translated this") == "Nobody translated this"


def test_a_language_that_we_do_not_have_falls_back_to_english() -> None:
    assert i18n.say("fr", "Closed") == "Closed"


def test_a_percent_sign_is_a_percent_sign_where_no_values_are_given() -> None:
    assert i18n.say("zh", "100% sure") == "100% 确定"


def test_a_stored_sentence_keeps_its_text_and_its_values_apart() -> None:
    text, values = i18n.sentence(i18n.mark("We received your report %(number)s."), number="2026-7")
    assert i18n.say("zh", text, **values) == "您的诉求 2026-7 已收到。"
    assert i18n.say("en", text, **values) == "We received your report 2026-7."


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("路灯坏了", "zh"),
        ("The lamp 路灯 is broken", "zh"),
        ("The lamp is broken", "en"),
        ("12345 !?", "xx"),
        ("", "xx"),
    ],
)
def test_the_language_of_a_text_is_told_by_its_letters(text: str, language: str) -> None:
    assert i18n.language_of(text, default="xx") == language
