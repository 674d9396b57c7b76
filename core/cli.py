"""Commands: the platform's (:mod:`core.commands`) and the modules' own, and a shell that knows the models.

A module's ``cli.py`` holds click commands; each is ``flask --app run <module> <command>``, run in
the application's context. The file is imported only when one of its commands is looked for.
"""

from copy import copy
from typing import Any

import click
from flask import Flask
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy.exc import DBAPIError

import services

from .commands import COMMANDS
from .commands import doctor
from .commands import secret
from .data import drivers
from .modules import Module
from .modules import ModuleError
from .modules import offers


class ModuleGroup(click.Group):
    """The commands of one module."""

    def __init__(self, module: Module) -> None:
        text = module.package.__doc__ or f"Commands of {module.name}."
        super().__init__(module.label, help=text.partition("\n")[0])
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


#: Flask's own, which it finds before an application's.
_FLASKS = ("run", "shell", "routes")


def init_app(app: Flask) -> None:
    """Add the commands and fill the shell.

    :raises ModuleError: if a module with commands has the name of a command of the platform, or of Flask
    """
    for command in COMMANDS:
        app.cli.add_command(command)
    for module in app.extensions["modules"]:
        if not module.has("cli"):
            continue
        if module.label in (*_FLASKS, *(command.name for command in COMMANDS)):
            raise ModuleError(
                f"Module {module.name!r} has a cli.py, and `flask {module.label}` is a command already: rename the "
                "package."
            )
        app.cli.add_command(ModuleGroup(module))
    app.shell_context_processor(shell_names)


def make_patient(error: Exception) -> Flask:
    """Make an application for commands that need none: ``doctor``, which reports why, and a new secret."""
    app = Flask("app", static_folder=None)
    app.extensions["start_fault"] = error
    app.cli.add_command(doctor)
    app.cli.add_command(secret)
    return app


def shell_names() -> dict[str, object]:
    """Return the names that ``flask shell`` knows: the database and every model, a second ``Book`` as ``shop_Book``."""
    names: dict[str, object] = {"db": services.db}
    for module, file in offers(current_app, "models"):
        for name, value in vars(file).items():
            if hasattr(value, "__mapper__") and names.setdefault(name, value) is not value:
                names[f"{module.label}_{name}"] = value
    return names
