"""Commands that prepare an installation: its database, its data, its accounts."""

from __future__ import annotations

from pathlib import Path

import click

from hotline.cli import Reported, hotline

ROLES = ["agent", "department", "revisitor", "manager", "administrator"]  # identity.access.Role, which --help need not import


@hotline.group()
def db() -> None:
    """Prepare the database, or see which shape it has."""


@db.command("upgrade")
@click.pass_obj
def upgrade_command(settings_path: str | None) -> None:
    """Bring the database to the shape of this version; its data stay."""
    from foundation.settings import load_settings
    from hotline.migrations import head, upgrade

    upgrade(load_settings(settings_path).database_url)
    click.echo(f"The database has the shape of this version ({head()}).")


@db.command("status")
@click.pass_obj
def status_command(settings_path: str | None) -> None:
    """Say which shape the database has and which one this version needs."""
    from foundation.database import open_engine, parse_url
    from foundation.settings import load_settings
    from hotline.migrations import SchemaError, head, require_head, revision_of

    engine = open_engine(parse_url(load_settings(settings_path).database_url))
    try:
        require_head(engine)
        click.echo(f"The database has the shape of this version ({head()}).")
    except SchemaError as error:
        click.echo(f"The database is at {revision_of(engine) or 'nothing'}, this version needs {head()}: {error}")
    finally:
        engine.dispose()


@hotline.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def import_command(settings_path: str | None, files: tuple[Path, ...]) -> None:
    """Bring in departments, categories, rules, promises or holidays from CSV files.

    The header line says what a file holds; a row with a known code replaces the old one, so a file can be imported again.
    See docs/data.md for the columns. Nothing is imported when any row is wrong.
    """
    from hotline.cli.opened import opened_database, who_runs_this
    from hotline.imports import ImportProblemError, import_file

    with opened_database(settings_path) as database, database.write() as session:
        try:
            for file in files:
                click.echo(f"{file}: {import_file(session, file, actor=who_runs_this())}")
        except ImportProblemError as error:
            raise Reported(str(error)) from None


@hotline.group()
def admin() -> None:
    """Accounts of the staff."""


@admin.command("create")
@click.argument("username")
@click.option("--role", type=click.Choice(ROLES), default="administrator", show_default=True)
@click.option("--department", "department_code", default="", metavar="CODE", help="For the role department.")
@click.option("--level", default=0, type=click.IntRange(0, 2), help="Security level: 1 sees hidden names, 2 also sealed tickets.")
@click.option("--password", is_flag=True, help="Ask for a password; without it only a sign-in link is made.")
@click.pass_obj
def create_command(settings_path: str | None, username: str, role: str, department_code: str, level: int, password: bool) -> None:
    """Make an account and print a link that signs in once."""
    from hotline.cli.opened import opened_database, who_runs_this
    from identity.access import Role
    from identity.actions import AccountError, create_sign_in_link, create_staff, set_password
    from identity.queries import department_by_code

    if not username.strip() or len(username) > 80:
        raise Reported("an account needs a name of 1 to 80 characters: hotline admin create NAME")
    chosen = click.prompt("Password (12 characters at least)", hide_input=True, confirmation_prompt=True) if password else None
    with opened_database(settings_path) as database, database.write() as session:
        department = department_by_code(session, department_code) if department_code else None
        if department_code and department is None:
            raise Reported(f"there is no department with the code {department_code!r}; see: hotline import")
        try:
            staff = create_staff(session, username, role=Role(role), department=department, security_level=level, actor=who_runs_this())
            if chosen:
                set_password(session, staff, chosen)
        except AccountError as error:
            raise Reported(str(error)) from None
        token = create_sign_in_link(session, staff, actor=who_runs_this())
        base = database.settings.server.public_base_url
    click.echo(f"{username} can sign in once with {base}/sign-in/{token}")


@admin.command("link")
@click.argument("username")
@click.pass_obj
def link_command(settings_path: str | None, username: str) -> None:
    """Print a new link that signs an account in once."""
    from hotline.cli.opened import opened_database, who_runs_this
    from identity.actions import create_sign_in_link
    from identity.queries import staff_by_username

    with opened_database(settings_path) as database, database.write() as session:
        staff = staff_by_username(session, username)
        if staff is None:
            raise Reported(f"there is no account {username!r}; make it with: hotline admin create {username}")
        token = create_sign_in_link(session, staff, actor=who_runs_this())
        base = database.settings.server.public_base_url
    click.echo(f"{username} can sign in once with {base}/sign-in/{token}")
