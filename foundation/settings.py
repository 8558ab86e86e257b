"""Every setting of the hotline: its meaning, unit and default; `settings.toml` is the commented copy.

Order: --settings FILE, then $HOTLINE_SETTINGS, then ./settings.toml, then these defaults. A key that nobody knows
is an error that names the nearest one. Channel blocks are checked by their adapters (`channels/adapters`).
"""

from __future__ import annotations

import os
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from rapidfuzz import process

SETTINGS_VARIABLE = "HOTLINE_SETTINGS"
DEFAULT_PATH = Path("settings.toml")

PositiveInt = Annotated[int, Field(gt=0)]


class SettingsError(Exception):
    """The settings cannot be used; the text says which line and what to write instead."""


class Block(BaseModel):
    """One [block] of settings.toml. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CitySettings(Block):
    name: str = "City of Example"
    hotline_number: str = "12345"
    timezone: str = "Asia/Shanghai"
    language: Literal["en", "zh"] = "en"
    phone_region: str = "CN"

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"no time zone is called {value!r}; use a name such as Asia/Shanghai")
        return value

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


class ServerSettings(Block):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    public_base_url: str = "http://127.0.0.1:8000"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    drain_seconds: PositiveInt = 20


class DatabaseSettings(Block):
    url: str = "sqlite:///var/hotline.db"
    url_file: str = ""
    pool_size: PositiveInt = 10


class RedisSettings(Block):
    url: str = ""
    url_file: str = ""


class WorkSettings(Block):
    group_size: PositiveInt = 50
    batch_size: PositiveInt = 50
    lease_seconds: PositiveInt = 60
    max_attempts: PositiveInt = 8
    retry_seconds: PositiveInt = 30
    sweep_seconds: PositiveInt = 5


class SecuritySettings(Block):
    secret_key: str = ""
    secret_key_file: str = "var/secrets/secret_key"
    session_hours: PositiveInt = 10
    sign_in_attempts: PositiveInt = 10
    sign_in_link_minutes: PositiveInt = 60


class TicketSettings(Block):
    join_hours: PositiveInt = 72
    ask_which_hours: PositiveInt = 24
    redo_promise_percent: Annotated[int, Field(gt=0, le=100)] = 50
    kind_words: dict[str, list[str]] = Field(default_factory=lambda: {kind: list(words) for kind, words in KIND_WORDS.items()})


class FollowUpSettings(Block):
    revisit_after_working_days: Annotated[int, Field(ge=0)] = 1
    remind_at_percent: Annotated[int, Field(gt=0, lt=100)] = 80
    callback_window_hours: PositiveInt = 4
    acknowledgements_per_hour: PositiveInt = 5


class AlarmSettings(Block):
    email: str = ""
    every_minutes: PositiveInt = 60


KIND_WORDS: dict[str, tuple[str, ...]] = {
    "praise": ("thank you", "thanks to", "well done", "表扬", "感谢", "点赞"),
    "report": ("illegal", "bribe", "corrupt", "举报", "违法", "违规"),
    "suggestion": ("suggest", "propose", "建议", "提议"),
    "complaint": ("complain", "unacceptable", "noise", "rude", "投诉", "噪音", "扰民"),
    "consultation": ("how do i", "how can i", "where can i", "which documents", "opening hours", "咨询", "请问", "怎么办理"),
}


class Settings(Block):
    city: CitySettings = CitySettings()
    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    work: WorkSettings = WorkSettings()
    security: SecuritySettings = SecuritySettings()
    tickets: TicketSettings = TicketSettings()
    followup: FollowUpSettings = FollowUpSettings()
    alarms: AlarmSettings = AlarmSettings()
    channels: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @property
    def database_url(self) -> str:
        return _from_file(self.database.url_file, "[database] url_file") or self.database.url

    @property
    def redis_url(self) -> str:
        return _from_file(self.redis.url_file, "[redis] url_file") or self.redis.url

    @property
    def secret_key(self) -> str:
        return secret(self.security.secret_key, self.security.secret_key_file, "[security] secret_key", "HOTLINE_SECRET_KEY")

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.work.lease_seconds)


def load_settings(path: str | Path | None = None) -> Settings:
    """Return the settings in force.

    path     from --settings; None looks at $HOTLINE_SETTINGS, then ./settings.toml, then uses the defaults
    Raises   SettingsError with the file, the key and the remedy
    """
    chosen = Path(path) if path else _path_from_environment()
    if chosen is None:
        return Settings()
    try:
        document = tomllib.loads(chosen.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"there is no settings file {chosen}; copy settings.toml or leave out --settings") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{chosen} is not valid TOML: {error}") from None
    return parse_block(Settings, document, where=str(chosen))


def _path_from_environment() -> Path | None:
    named = os.environ.get(SETTINGS_VARIABLE)
    if named:
        return Path(named)
    return DEFAULT_PATH if DEFAULT_PATH.exists() else None


B = TypeVar("B", bound=BaseModel)


def parse_block(model: type[B], values: dict[str, Any], *, where: str) -> B:
    """Return `values` as `model`, or raise SettingsError that names the key and the nearest known one."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(model, problem, where) for problem in error.errors())) from None


def _sentence(model: type[BaseModel], problem: Any, where: str) -> str:
    path = [str(part) for part in problem["loc"]]
    name = ".".join(path)
    if problem["type"] == "extra_forbidden":
        nearest = process.extractOne(path[-1], _keys_beside(model, path))
        hint = f"; did you mean {nearest[0]!r}?" if nearest and nearest[1] >= 50 else ""
        return f"{where}: nobody knows the setting {name!r}{hint}"
    return f"{where}: {name}: {problem['msg']}"


def _keys_beside(model: type[BaseModel], path: list[str]) -> list[str]:
    for part in path[:-1]:
        field = model.model_fields.get(part)
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            return []
        model = field.annotation
    return list(model.model_fields)


def secret(value: str, file: str, name: str, variable: str = "") -> str:
    """Return a secret from the environment `variable`, its value, or its file; "" when none of them is there.

    The value is never logged; a file that cannot be read is an error that names the setting.
    """
    if variable and os.environ.get(variable):
        return os.environ[variable]
    if value:
        return value
    if not file:
        return ""
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise SettingsError(f"{name}: the file {file} cannot be read ({error.strerror}); give the server's user access") from None


def _from_file(file: str, name: str) -> str:
    """Return what stands in a file that must be there when it is named; "" when none is."""
    value = secret("", file, name)
    if file and not value:
        raise SettingsError(f'{name}: the file {file} is missing or empty; put the URL there, or set {name.rpartition(" ")[2]} = ""')
    return value
