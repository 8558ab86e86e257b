"""What every page is made with: moments in the city's time, the reader's language, paths that stay here."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from foundation.pages import (
    SECURITY_HEADERS,
    STATIC_FOLDER,
    TEMPLATE_FOLDER,
    asset,
    chosen_language,
    local_path,
    long_moment,
    page,
    short_moment,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
EVENING = datetime(2026, 3, 2, 16, 30, tzinfo=UTC)  # already the next day in Shanghai


def test_a_moment_is_told_in_the_citys_time() -> None:
    assert short_moment(EVENING, SHANGHAI) == "2026-03-03 00:30"
    assert long_moment(EVENING, SHANGHAI, "en") == "Tue 3 Mar 2026, 00:30"
    assert long_moment(EVENING, SHANGHAI, "zh") == "2026年3月3日 周二 00:30"


@pytest.mark.parametrize(
    ("cookies", "preferred", "accepts", "language"),
    [
        ({"hotline_language": "zh"}, "en", "en", "zh"),
        ({"hotline_language": "xx"}, "zh", "en", "zh"),
        ({}, "", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ({}, "", "fr, de;q=0.9, en;q=0.2", "en"),
        ({}, "", "en;q=0.5, zh;q=0.9", "zh"),
        ({}, "", "zh;q=0, en;q=0.1", "en"),
        ({}, "", ";q=x,,zh;q=much", "zh-default"),
        ({}, "", "", "zh-default"),
    ],
)
def test_the_switch_outweighs_the_account_and_the_account_the_browser(
    cookies: dict[str, str], preferred: str, accepts: str, language: str
) -> None:
    assert chosen_language(cookies, preferred=preferred, accepts=accepts, default="zh-default") == language


@pytest.mark.parametrize("address", ["/", "/tickets/2026-000001", "/?state=closed&before=1-2"])
def test_a_path_of_this_site_is_followed(address: str) -> None:
    assert local_path(address, "/default") == address


@pytest.mark.parametrize("address", ["", "elsewhere", "//e.example", "/\\e.example", "/\n/e.example", "https://e.example", "javascript:x"])
def test_an_address_elsewhere_is_not_followed(address: str) -> None:
    assert local_path(address, "/default") == "/default"


def test_the_address_of_a_static_file_changes_with_its_content() -> None:
    assert re.fullmatch(r"/static/hotline\.css\?v=[0-9a-f]{10}", asset("hotline.css"))


def test_a_template_that_misses_a_fact_is_an_error_and_not_an_empty_place(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("{{ missing }}", encoding="utf-8")
    with pytest.raises(Exception, match="'missing' is undefined"):
        page(tmp_path, "page.html", "en")


def test_the_content_policy_allows_nothing_inline_and_no_template_needs_it() -> None:
    assert "unsafe" not in SECURITY_HEADERS["Content-Security-Policy"]
    templates = [*TEMPLATE_FOLDER.rglob("*.html"), *Path("agent_console").rglob("*.html"), *Path("public_portal").rglob("*.html")]
    assert len(templates) > 5
    assert [path.name for path in templates if re.search(r"<style|<script|\sstyle=|\son[a-z]+=", path.read_text(encoding="utf-8"))] == []


def _luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _colour_schemes() -> dict[str, dict[str, str]]:
    sheet = (STATIC_FOLDER / "hotline.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", sheet, flags=re.DOTALL)[:2]
    return {name: dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block)) for name, block in (("light", light), ("dark", dark))}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "paper", "least"),
    [
        ("ink", "paper", 7),
        ("ink", "sheet", 7),
        ("ink", "accent-soft", 7),
        ("ink", "warning-soft", 7),
        ("ink", "danger-soft", 7),
        ("ink", "good-soft", 7),
        ("quiet", "sheet", 4.5),
        ("quiet", "paper", 4.5),
        ("quiet", "accent-soft", 4.5),
        ("accent", "sheet", 4.5),
        ("accent", "paper", 4.5),
        ("accent", "accent-soft", 4.5),
        ("accent", "danger-soft", 4.5),
        ("accent", "warning-soft", 4.5),
        ("accent-ink", "accent", 4.5),
        ("warning", "warning-soft", 4.5),
        ("danger", "danger-soft", 4.5),
        ("danger", "sheet", 4.5),
        ("good", "good-soft", 4.5),
        ("control", "sheet", 3),
        ("control", "paper", 3),
        ("focus", "sheet", 3),
        ("focus", "paper", 3),
    ],
)
def test_colours_keep_the_contrast_that_wcag_asks_for(scheme: str, ink: str, paper: str, least: float) -> None:
    colours = _colour_schemes()[scheme]
    assert _contrast(colours[ink], colours[paper]) >= least
