"""The command `hotline`. Each subcommand imports what it needs only when it runs, so that --help is quick."""

from __future__ import annotations

import sys

import click

from hotline.own_packages import ForeignPackageError, require_own_packages


class Reported(click.ClickException):
    """An error that is one sentence with its remedy."""

    def show(self, file: object = None) -> None:  # noqa: ARG002 - click's signature
        click.echo(f"hotline: {self.message}", err=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--settings", "settings_path", metavar="FILE", help="Settings to use instead of $HOTLINE_SETTINGS or ./settings.toml.")
@click.version_option(package_name=None, version="0.1.0", prog_name="hotline")
@click.pass_context
def hotline(context: click.Context, settings_path: str | None) -> None:
    """The citizen hotline: every contact becomes a ticket, and every promise is kept.

    \b
    First steps:
      hotline demo              everything at once, with invented citizens, on http://127.0.0.1:8000
      hotline db upgrade        prepare the database of the settings
      hotline admin create NAME make an account and print its sign-in link
      hotline import FILE.csv   bring in departments, categories, rules, promises, holidays
      hotline serve             start the server
      hotline check             what is wrong with this installation, and what to do about it
    """
    context.obj = settings_path


def main() -> int:
    """Run the command; an error that we know is one sentence, not a traceback."""
    try:
        require_own_packages()
    except ForeignPackageError as error:
        print(f"hotline: {error}", file=sys.stderr)
        return 2
    from sqlalchemy.exc import OperationalError

    from foundation.settings import SettingsError
    from hotline.cli import asking, running, setting_up  # noqa: F401  (they add their commands)
    from hotline.migrations import SchemaError

    try:
        result = hotline.main(standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return 130
    except (SettingsError, SchemaError) as error:
        print(f"hotline: {error}", file=sys.stderr)
        return 2
    except OperationalError as error:
        print(f"hotline: the database does not answer ({type(error.orig).__name__}); start it, or correct [database] url", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"hotline: {error.filename or 'the system'}: {error.strerror or error}; correct the path or its rights", file=sys.stderr)
        return 2
