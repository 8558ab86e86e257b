from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path

import pytest

from foundation.settings import (
    SETTINGS_VARIABLE,
    Block,
    CitySettings,
    DatabaseSettings,
    RedisSettings,
    SecuritySettings,
    Settings,
    SettingsError,
    load_settings,
    parse_block,
    secret,
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without settings.toml, and an environment that names none."""
    monkeypatch.chdir(tmp_path)
    for variable in (SETTINGS_VARIABLE, "HOTLINE_SECRET_KEY"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def written(folder: Path, text: str, name: str = "settings.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_without_any_file_the_defaults_hold() -> None:
    settings = load_settings()
    assert settings == Settings()
    assert settings.city.timezone == "Asia/Shanghai"
    assert settings.database_url == "sqlite:///var/hotline.db"


def test_the_file_in_the_present_folder_is_read_without_being_named(elsewhere: Path) -> None:
    written(elsewhere, '[city]\nname = "Harbour City"')
    assert load_settings().city.name == "Harbour City"


def test_the_environment_goes_before_the_present_folder(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(elsewhere, '[city]\nname = "of the folder"')
    named = written(elsewhere, '[city]\nname = "of the environment"', "other.toml")
    monkeypatch.setenv(SETTINGS_VARIABLE, str(named))
    assert load_settings().city.name == "of the environment"


def test_the_command_line_goes_before_the_environment(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTINGS_VARIABLE, str(written(elsewhere, '[city]\nname = "of the environment"', "other.toml")))
    named = written(elsewhere, '[city]\nname = "of the command line"', "named.toml")
    assert load_settings(named).city.name == "of the command line"


def test_a_key_that_is_not_written_keeps_its_default(elsewhere: Path) -> None:
    settings = load_settings(written(elsewhere, "[server]\nport = 9000"))
    assert (settings.server.port, settings.server.host) == (9000, "127.0.0.1")


def test_a_named_file_that_is_missing_is_said_with_what_to_do() -> None:
    with pytest.raises(SettingsError, match=r"no settings file missing\.toml; copy settings\.toml or leave out --settings"):
        load_settings("missing.toml")


def test_a_missing_file_named_by_the_environment_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTINGS_VARIABLE, "gone.toml")
    with pytest.raises(SettingsError, match=r"gone\.toml"):
        load_settings()


@pytest.mark.parametrize("content", [b"[city\nname=", b"name = \xff\xfe"], ids=["syntax", "encoding"])
def test_a_file_that_is_no_toml_is_said_with_its_name(elsewhere: Path, content: bytes) -> None:
    (elsewhere / "broken.toml").write_bytes(content)
    with pytest.raises(SettingsError, match=r"broken\.toml is not valid TOML"):
        load_settings("broken.toml")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[server]\nprot = 9000", "nobody knows the setting 'server.prot'; did you mean 'port'?"),
        ("[databse]\nurl = ''", "nobody knows the setting 'databse'; did you mean 'database'?"),
        ("[work]\nlease_second = 5", "nobody knows the setting 'work.lease_second'; did you mean 'lease_seconds'?"),
    ],
)
def test_an_unknown_key_is_refused_and_the_nearest_one_named(elsewhere: Path, text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(written(elsewhere, text))
    assert sentence in str(refused.value)


def test_a_key_that_resembles_no_other_gets_no_guess(elsewhere: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(written(elsewhere, "[server]\nzzzzzzzz = 1"))
    assert "zzzzzzzz" in str(refused.value)
    assert "did you mean" not in str(refused.value)


def test_every_mistake_of_a_file_is_named_at_once(elsewhere: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(written(elsewhere, "[server]\nport = 70000\nhots = ''\n[work]\nbatch_size = 0"))
    assert len(str(refused.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[server]\nport = 65536", "server.port"),
        ("[work]\nlease_seconds = 0", "work.lease_seconds"),
        ("[tickets]\nredo_promise_percent = 101", "tickets.redo_promise_percent"),
        ("[followup]\nremind_at_percent = 100", "followup.remind_at_percent"),
        ("[city]\nlanguage = 'fr'", "city.language"),
        ("[server]\nlog_level = 'loud'", "server.log_level"),
    ],
)
def test_a_value_that_cannot_work_is_refused_by_its_key(elsewhere: Path, text: str, key: str) -> None:
    with pytest.raises(SettingsError, match=rf"settings\.toml: {key}: "):
        load_settings(written(elsewhere, text))


def test_an_unknown_time_zone_is_refused_with_an_example() -> None:
    with pytest.raises(SettingsError, match=r"no time zone is called 'Peking'; use a name such as Asia/Shanghai"):
        parse_block(CitySettings, {"timezone": "Peking"}, where="settings.toml")


def test_settings_cannot_be_changed_while_the_hotline_runs() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().city.name = "Elsewhere"


def test_blocks_of_channels_pass_unread_until_their_adapter_checks_them(elsewhere: Path) -> None:
    settings = load_settings(written(elsewhere, "[channels.email]\nmailboxes = ['a@city.example']"))
    assert settings.channels == {"email": {"mailboxes": ["a@city.example"]}}


def test_an_adapters_block_is_checked_like_the_others() -> None:
    class Letters(Block):
        enabled: bool = True
        mailbox: str = ""

    with pytest.raises(SettingsError, match=r"\[channels\.letters\]: nobody knows the setting 'mailboks'; did you mean 'mailbox'\?"):
        parse_block(Letters, {"mailboks": "x"}, where="[channels.letters]")


def test_the_lease_is_a_span_of_time() -> None:
    assert Settings().lease == timedelta(seconds=60)


# ── secrets ──


def test_a_secret_in_the_environment_goes_before_its_value_and_its_file(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(elsewhere, "of the file", "key")
    assert secret("", "key", "[security] secret_key", "HOTLINE_SECRET_KEY") == "of the file"
    assert secret("of the settings", "key", "[security] secret_key", "HOTLINE_SECRET_KEY") == "of the settings"
    monkeypatch.setenv("HOTLINE_SECRET_KEY", "of the environment")
    assert secret("of the settings", "key", "[security] secret_key", "HOTLINE_SECRET_KEY") == "of the environment"


def test_the_line_end_of_a_secret_file_is_no_part_of_the_secret(elsewhere: Path) -> None:
    written(elsewhere, "s3cret\n", "key")
    assert Settings(security=SecuritySettings(secret_key_file="key")).secret_key == "s3cret"


def test_a_url_file_that_is_named_must_be_there() -> None:
    with pytest.raises(SettingsError, match=r"\[redis\] url_file: the file nowhere is missing or empty"):
        _ = Settings(redis=RedisSettings(url_file="nowhere")).redis_url
    with pytest.raises(SettingsError, match=r"\[database\] url_file: the file nowhere is missing or empty"):
        _ = Settings(database=DatabaseSettings(url_file="nowhere")).database_url


def test_a_secret_file_that_may_not_be_read_is_said_without_its_content(elsewhere: Path) -> None:
    folder = elsewhere / "key"
    folder.mkdir(mode=stat.S_IRWXU)  # a folder in place of the file: refused for root too
    with pytest.raises(SettingsError, match=r"\[security\] secret_key: the file key cannot be read"):
        secret("", "key", "[security] secret_key")
