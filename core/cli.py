"""Commands: the modules' own, ``prepare``, and a shell that knows the models.

A module's ``cli.py`` holds click commands; each is ``flask --app run <module> <command>``, run in
the application's context. The file is imported only when one of its commands is looked for.
"""

from copy import copy

import click
from flask import Flask
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy.exc import OperationalError

import services

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


def init_app(app: Flask) -> None:
    """Add the commands and fill the shell."""
    app.cli.add_command(prepare)
    for module in app.extensions["modules"]:
        if module.has("cli"):
            app.cli.add_command(ModuleGroup(module))
    app.shell_context_processor(shell_names)


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
    if current_app.config["APP_ENV"] != "development":
        return
    for module, file in offers(current_app, "demo"):
        added = file.load()
        if added:
            click.echo(f"{module.name}: loaded {added:,} rows of demo data.")
