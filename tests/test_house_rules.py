"""Rules that no linter knows. Each failure names what to add and where."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from hatchling.builders.wheel import WheelBuilder
from jinja2.ext import babel_extract
from sqlalchemy import Enum, inspect
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from channels.adapters.registry import KINDS, SETTINGS_MODELS
from foundation.clock import SystemClock
from foundation.database import open_engine, parse_url
from foundation.groups import GroupWriter
from foundation.i18n import LANGUAGES, LOCALE_FOLDER
from foundation.settings import Settings
from hotline import migrations
from hotline.app import create_app
from hotline.jobs import JOBS
from hotline.office import open_office
from hotline.reactions import REACTIONS
from hotline.tables import METADATA
from identity.access import Action
from tests.servers import CHECKOUT
from tickets.actions.events import reaction_kind
from tickets.lifecycle import EventKind
from tickets.timeline import SENTENCES

PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = sorted(found.parent.name for found in CHECKOUT.glob("*/__init__.py") if found.parent.name not in {"tests", "bench"})
SOURCES = [file for package in PACKAGES for file in sorted((CHECKOUT / package).rglob("*.py"))]

MOST_LINES = 400
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "services", "service", "common", "misc", "manager"}
CALLERS = {"anyone", "provider", *Action}
MARKERS = {"_": None, "gettext": None, "mark": None, "sentence": None, "say": (2,), "ngettext": (1, 2)}
# Each line of such a table is data, explained by the comment above the table.
DATA_TABLES = {"tickets.kind_words"}


# ── files ──


def test_every_package_ships_is_typed_and_stands_on_a_floor() -> None:
    tools = PROJECT["tool"]
    assert sorted(tools["hatch"]["build"]["targets"]["wheel"]["packages"]) == PACKAGES
    assert sorted(tools["importlinter"]["root_packages"]) == PACKAGES
    beside = [name for name in ("tests", "bench") if (CHECKOUT / name).exists()]
    assert sorted(tools["mypy"]["files"]) == sorted([*PACKAGES, *beside])
    floors = tools["importlinter"]["contracts"][0]["layers"]
    assert sorted(name for floor in floors for name in re.findall(r"\w+", floor)) == PACKAGES


def test_the_wheel_holds_every_file_of_every_package(tmp_path: Path) -> None:
    wheel = next(WheelBuilder(str(CHECKOUT)).build(directory=str(tmp_path), versions=["standard"]))
    with zipfile.ZipFile(wheel) as opened:
        shipped = {name for name in opened.namelist() if ".dist-info/" not in name}
    files = (file for package in PACKAGES for file in (CHECKOUT / package).rglob("*") if file.is_file())
    assert shipped == {str(file.relative_to(CHECKOUT)) for file in files if file.suffix != ".pyc"}


def test_a_file_fits_one_sitting() -> None:
    files = [file for file in SOURCES if file.parent.name != "versions"]  # a migration is written once, by a tool
    lengths = {str(file.relative_to(CHECKOUT)): len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_file_is_named_after_nothing() -> None:
    assert [str(file.relative_to(CHECKOUT)) for file in SOURCES if file.stem in EMPTY_NAMES] == []


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {file.parent for file in (CHECKOUT / "tests").rglob("*.py")}
    assert [str(folder.relative_to(CHECKOUT)) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_no_test_sleeps() -> None:
    tests = [file for file in (CHECKOUT / "tests").rglob("test_*.py") if re.search(r"\bsleep\(", file.read_text(encoding="utf-8"))]
    sleepers = [f"{file.name}::{function.name}" for file in tests for function in _functions(file) if _sleeps(function)]
    assert sleepers == []


# ── doors and pages ──


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """The application with every door open."""
    folder = tmp_path_factory.mktemp("installation")
    secret = folder / "secret"
    secret.write_text("1:a secret of this test", encoding="utf-8")
    settings = Settings.model_validate(
        {
            "database": {"url": f"sqlite:///{folder / 'hotline.db'}"},
            "security": {"secret_key_file": str(secret)},
            "channels": {name: {"enabled": True, **dict.fromkeys(kind.secret_files, str(secret))} for name, kind in KINDS.items()},
        }
    )
    with closing(open_office(settings, SystemClock())) as office, closing(GroupWriter(office.database, group_size=1)) as writer:
        yield create_app(office, writer)


def test_every_route_says_who_may_call_it(app: FastAPI) -> None:
    callers = [(route.path, getattr(route.endpoint, "who_may_call", None)) for route in _routes(app) if isinstance(route, Route)]
    assert {"/", "/healthz", "/report"} <= {path for path, _ in callers}, "the walk over the routes misses some"
    assert [path for path, caller in callers if caller not in CALLERS] == []


def test_what_is_not_a_route_serves_nothing_but_static_files(app: FastAPI) -> None:
    others = [route for route in _routes(app) if not isinstance(route, Route)]
    assert [other for other in others if not (isinstance(other, Mount) and isinstance(other.app, StaticFiles))] == []


def test_every_adapter_stands_in_the_independence_contract() -> None:
    contracts = {contract["name"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]}
    folder = CHECKOUT / "channels" / "adapters"
    adapters = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    named = {module.removeprefix("channels.adapters.") for module in contracts["Adapters do not know each other"]["modules"]}
    assert named == adapters - {"__init__", "registry"}
    assert {model.__module__.split(".")[2] for model in SETTINGS_MODELS.values()} <= named


# ── events and work ──


def test_every_event_kind_has_its_line_in_the_reactions() -> None:
    assert set(EventKind) - set(REACTIONS) == set()


def test_every_event_kind_has_a_sentence() -> None:
    assert set(EventKind) - set(SENTENCES) == set()


def test_all_work_that_is_enqueued_has_somebody_who_does_it() -> None:
    assert _enqueued_kinds() - set(JOBS) == set()


def test_every_job_has_a_cause() -> None:
    """What has no cause is periodic, and stands in `hotline.jobs.PERIODIC` instead."""
    assert set(JOBS) - _enqueued_kinds() == set()


# ── settings ──


def test_the_settings_file_is_the_copy_of_the_defaults() -> None:
    defaults = Settings().model_dump(mode="json", exclude={"channels"})
    defaults["channels"] = {name: model().model_dump(mode="json") for name, model in SETTINGS_MODELS.items()}
    assert tomllib.loads(_settings_text()) == defaults


def test_every_setting_has_a_line_of_comment() -> None:
    table, above, bare = "", "", []
    for line in _settings_text().splitlines():
        if line.startswith("["):
            table = line.strip("[]")
        elif (key := re.match(r"[\w\"-]+(?= *=)", line)) and table not in DATA_TABLES and not above.startswith("#"):
            bare.append(f"{table}.{key.group()}")
        above = line
    assert bare == []


# ── the database ──


def test_the_migrations_have_one_head() -> None:
    assert len(ScriptDirectory(str(Path(migrations.__file__).parent)).get_heads()) == 1


def test_a_migrated_database_equals_the_models(database_url: str) -> None:
    engine = open_engine(parse_url(database_url))
    with closing(engine.raw_connection()), engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, METADATA)
    engine.dispose()
    assert differences == []


def test_the_database_takes_every_word_of_every_enum(database_url: str) -> None:
    """Alembic does not compare CHECK constraints, so a new word would be missing in migrated databases only."""
    engine = open_engine(parse_url(database_url))
    inspector = inspect(engine)
    missing = {}
    for table in METADATA.sorted_tables:
        checks = {str(check["name"]): check["sqltext"] for check in inspector.get_check_constraints(table.name)}
        for column in table.columns:
            if isinstance(column.type, Enum):
                words = next((set(re.findall(r"'(\w+)'", text)) for text in checks.values() if _is_about(column.name, text)), set())
                missing[f"{table.name}.{column.name}"] = set(column.type.enums) - words
    engine.dispose()
    assert {column: words for column, words in missing.items() if words} == {}


# ── texts ──


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_every_sentence_is_translated(language: str) -> None:
    catalogue = _translations(language)
    assert [text for text in _marked_sentences() if not catalogue.get(text)] == []


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_every_translation_keeps_the_places_of_its_values(language: str) -> None:
    sources = _marked_sentences()
    pairs = [(text, word) for text, words in _translations(language).items() if text in sources for word in words]
    assert [text for text, word in pairs if not _places(word) <= _places(text + sources[text])] == []


def test_the_sentences_of_events_are_marked_for_translation() -> None:
    assert set(SENTENCES.values()) - set(_marked_sentences()) == set()


# ── how the rules look ──


def _routes(app: FastAPI) -> list[BaseRoute]:
    """Return the routes of the application and of every router that it includes."""
    return [context.original_route for context in iter_route_contexts(app.routes)]


def _functions(file: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")]


def _sleeps(function: ast.AST) -> bool:
    calls = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
    return any(getattr(called, "attr", getattr(called, "id", "")) == "sleep" for called in calls)


def _enqueued_kinds() -> set[str]:
    """Return every kind that the packages enqueue: the second argument of each call, a constant of its module."""
    kinds: set[str] = set()
    for file in SOURCES:
        calls = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        for call in calls:
            if getattr(call.func, "attr", getattr(call.func, "id", "")) == "enqueue":
                kinds |= _kinds_of(call.args[1], file)
    return kinds


def _kinds_of(argument: ast.expr, file: Path) -> set[str]:
    if isinstance(argument, ast.Call) and ast.unparse(argument.func).endswith("reaction_kind"):
        return {reaction_kind(kind) for kind in EventKind}
    assert isinstance(argument, ast.Constant | ast.Name | ast.Attribute), f"{file}: name the kind of work by a constant"
    module = importlib.import_module(".".join(file.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__"))
    return {str(eval(ast.unparse(argument), vars(module)))}


def _settings_text() -> str:
    return (CHECKOUT / "settings.toml").read_text(encoding="utf-8")


def _is_about(column: str, check: str) -> bool:
    return re.match(rf"\W*{column}\W", check) is not None


def _marked_sentences() -> dict[str, str]:
    """Return every text that code and templates mark for translation, each with its plural, "" when it does not count."""
    found: dict[str, str] = {}
    templates = [file for package in PACKAGES for file in (CHECKOUT / package).rglob("templates/**/*") if file.is_file()]
    for file in [*SOURCES, *templates]:
        method: Any = "python" if file.suffix == ".py" else babel_extract
        with file.open("rb") as opened:
            for _line, text, *_ in extract(method, opened, MARKERS, options={"trim_blocks": "true", "lstrip_blocks": "true"}):
                one, many = (text, "") if isinstance(text, str) else text
                found[one] = found.get(one) or many
    return found


def _translations(language: str) -> dict[str, list[str]]:
    """Return the finished translations of each text: several when it counts, none while it is doubtful."""
    with (LOCALE_FOLDER / f"{language}.po").open("rb") as opened:
        catalogue = read_po(opened)
    entries: dict[str, list[str]] = {}
    for entry in catalogue:
        if entry.id:
            words = [entry.string] if isinstance(entry.string, str) else list(entry.string or ())
            entries[entry.id if isinstance(entry.id, str) else entry.id[0]] = [] if entry.fuzzy else [word for word in words if word]
    return entries


def _places(text: str) -> set[str]:
    return set(re.findall(r"%\((\w+)\)", text))
