"""Commands: the modules' own, ``prepare``, and a shell that knows the models.

A module's ``cli.py`` holds click commands; each is ``flask --app run <module> <command>``, run in
the application's context. The file is imported only when one of its commands is looked for.
"""

import sys
from copy import copy
from typing import Any

import click
from flask import Flask
from flask import current_app
from flask.cli import ScriptInfo
from flask.cli import with_appcontext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import OperationalError

import services

from . import drivers
from . import signals
from .http.matrix import matrix
from .lazy import doctor as examiner
from .lazy import migrations
from .modules import Module
from .modules import offers


class ModuleGroup(click.Group):
    """The commands of one module."""

    def __init__(self, module: Module) -> None:
        super().__init__(module.label, help=f"Commands of {module.name}.")
        self.module = module

    def _found(self) -> dict[str, click.Command]:
        file = self.module.file("cli")
        values = [value for value in vars(file).values() if isinstance(value, click.Command)] if file else []
        # What belongs to a group of the module's own is found there.
        groups = [value for value in values if isinstance(value, click.Group)]
        inner = {id(command) for group in groups for command in group.commands.values()}
        return {value.name: value for value in values if value.name and id(value) not in inner}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the module's commands."""
        return sorted(self._found())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find a command, and run it in the application's context."""
        command = copy(self._found().get(cmd_name))
        if command is not None and command.callback is not None:
            command.callback = with_appcontext(command.callback)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; where the database is behind or away, say so instead of where that was noticed."""
        try:
            return super().invoke(ctx)
        except DBAPIError as error:
            cause = str(error.orig).strip()
            if drivers.is_behind(error):
                raise click.ClickException(f"The database is behind: run `alembic upgrade head`. {cause}") from error
            if drivers.is_lost(error):
                raise click.ClickException(f"The database does not answer. {cause}") from error
            raise


def init_app(app: Flask) -> None:
    """Add the commands and fill the shell."""
    app.cli.add_command(prepare)
    app.cli.add_command(doctor)
    app.cli.add_command(access)
    for module in app.extensions["modules"]:
        if module.has("cli"):
            app.cli.add_command(ModuleGroup(module))
    app.shell_context_processor(shell_names)


def make_patient(error: Exception) -> Flask:
    """Make an application that only knows ``doctor``, which tells why the real one cannot start."""
    app = Flask("app", static_folder=None)
    app.extensions["start_fault"] = error
    app.cli.add_command(doctor)
    return app


def shell_names() -> dict[str, object]:
    """Return the names that ``flask shell`` knows: the database and every model."""
    names: dict[str, object] = {"db": services.db}
    for _, file in offers(current_app, "models"):
        names |= {name: value for name, value in vars(file).items() if hasattr(value, "__mapper__")}
    return names


@click.command()
@with_appcontext
def prepare() -> None:
    """Bring the database to head and, in development, load the demo data."""
    try:
        migrations.upgrade(services.db.engine.url)
    except (OperationalError, migrations.CommandError) as error:
        cause = str(getattr(error, "orig", None) or error).strip()
        raise click.ClickException(f"The database cannot be brought to head. {cause}") from error
    if current_app.config["APP_ENV"] == "development":
        _load_demo()
    signals.prepared.send(current_app._get_current_object())  # type: ignore[attr-defined]


def _load_demo() -> None:
    for module, file in offers(current_app, "demo"):
        added = file.load()
        if added:
            click.echo(f"{module.name}: loaded {added:,} rows of demo data.")


@click.command()
@click.option("--production", is_flag=True, help="Examine it as it would start in production.")
@click.option("--json", "as_json", is_flag=True, help="Print an object for programs.")
@click.option("--fail-level", type=click.Choice(["error", "warning"]), default="error", show_default=True)
@click.option("--list", "lists", is_flag=True, help="Name the checks, and run none.")
def doctor(production: bool, as_json: bool, fail_level: str, lists: bool) -> None:
    """Look for what is wrong with this deployment, and name the cure.

    The exit code is 1 if there is an error, or with --fail-level=warning a warning.
    """
    app = click.get_current_context().ensure_object(ScriptInfo).load_app()
    if lists:
        examiner.list_checks(app, as_json=as_json)
    else:
        sys.exit(examiner.run(app, production=production, as_json=as_json, fail_level=fail_level))


@click.command()
@click.option("--undeclared", is_flag=True, help="Only what is open because nobody has declared a policy.")
@with_appcontext
def access(undeclared: bool) -> None:
    """Show who may do what: every endpoint and method with its policy, role by role."""
    try:
        found = matrix(current_app)
    except DBAPIError as error:
        raise click.ClickException(f"The roles cannot be read. {str(error.orig).strip()}") from error
    lines = [line for line in found.lines if line.asked.policy is None or not undeclared]
    rows = [("WHAT", "ENDPOINT", *map(str.upper, found.columns), "WHY")]
    rows += [(f"{one.asked.verb} {one.asked.address}", one.asked.place, *one.cells, one.asked.reason) for one in lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        click.secho(text, fg="yellow" if row[-1] == "undeclared" else None)
