"""Commands: the platform's own and those of the modules, and a shell that knows the models.

A module's ``cli.py`` holds click commands; each is ``flask --app run <module> <command>``, run in
the application's context. A single command with the module's own name is ``flask --app run <module>``.
No file with commands is imported before one of them is run, or its help is asked for: servers never need them.
"""

import importlib
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from copy import copy
from functools import partial
from functools import wraps
from types import ModuleType
from typing import Any
from typing import TypeVar

import click
from flask import Flask
from flask import current_app
from flask.cli import FlaskGroup
from flask.cli import with_appcontext
from sqlalchemy.exc import DBAPIError

import services

from ..data import drivers
from ..modules import Module
from ..modules import ModuleError
from ..modules import describe
from ..modules import installed
from ..modules import offers

Function = TypeVar("Function", bound=Callable[..., Any])

#: The platform's own commands: the file of this package that has it → what it does.
COMMANDS = {
    "access": "Show who may do what.",
    "prepare": "Bring the database to head; in development, load the demo data.",
    "resources": "Show the declared resources.",
}

#: Flask's own, which it finds before an application's.
_FLASKS = ("run", "shell", "routes")


def init_app(app: Flask) -> None:
    """Add the commands of the platform and of the installed modules, and fill the shell.

    :raises ModuleError: see :func:`add_commands`
    """
    add_commands(app, installed(app))
    app.shell_context_processor(shell_names)


def add_commands(app: Flask, modules: Sequence[Module], fault: Exception | None = None) -> None:
    """Add the commands of the platform and of these modules.

    :param fault: the error that keeps the application from starting; then only what :func:`works_without_app` runs
    :raises ModuleError: if a module with commands has the name of a command of the platform, or of Flask
    """
    for name, text in COMMANDS.items():
        app.cli.add_command(LazyCommand(name, text, partial(_load, name, fault)))
    for module in modules:
        if not module.has("cli"):
            continue
        if module.label in (*_FLASKS, *COMMANDS):
            if fault is not None:
                # That is the fault, or another one to come.
                continue
            raise ModuleError(
                f"Module {module.name!r} has a cli.py, and `flask {module.label}` is a command already: rename the "
                "package."
            )
        app.cli.add_command(LazyCommand(module.label, _summary(module), partial(_load_module, module, fault)))


def works_without_app(function: Function) -> Function:
    """Let a command run also where the application cannot start; it stands below ``@click.command()``.

    ``current_app`` is then what :func:`core.cli.stand_in.create_stand_in` makes.
    """
    function.works_without_app = True  # type: ignore[attr-defined]  # a mark
    return function


def is_command_wanted() -> bool:
    """Return whether the program ``flask`` is asking for the application to find a command in it."""
    context = click.get_current_context(silent=True)
    return context is not None and isinstance(context.command, FlaskGroup)


class LazyCommand(click.Command):
    """Stands for a command, or a group of commands, until it is run."""

    def __init__(self, name: str, text: str, load: Callable[[], click.Command]) -> None:
        super().__init__(name, short_help=text)
        self._load = load

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Return a context of the command that this one stands for; click runs the command of the context."""
        return self._load().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that this one stands for."""
        return ctx.command.invoke(ctx)


class CommandGroup(click.Group):
    """The commands of one module, where there are several."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; where the database is behind or away, say so instead of where that was noticed."""
        with _database_explained():
            return super().invoke(ctx)


def _load(name: str, fault: Exception | None) -> click.Command:
    return _in_context(getattr(importlib.import_module(f"{__name__}.{name}"), name), fault)


def _load_module(module: Module, fault: Exception | None) -> click.Command:
    """Import the commands of a module: a group of them, or the single one that has the module's name."""
    try:
        file = module.file("cli")
    except Exception as error:
        if fault is None:
            raise
        raise click.ClickException(str(fault)) from error
    commands = {name: _in_context(command, fault) for name, command in _commands_of(file).items()}
    if {*commands} == {module.label}:
        return commands[module.label]
    return CommandGroup(module.label, commands, help=_summary(module))


def _commands_of(file: ModuleType | None) -> dict[str, click.Command]:
    values = [value for value in vars(file).values() if isinstance(value, click.Command)] if file else []
    # Commands of the module's own group are found there.
    groups = [value for value in values if isinstance(value, click.Group)]
    inner = {id(command) for group in groups for command in group.commands.values()}
    return {value.name: value for value in values if value.name and id(value) not in inner}


def _summary(module: Module) -> str:
    return describe(module)[1] or f"Commands of {module.name}."


def _in_context(command: click.Command, fault: Exception | None) -> click.Command:
    """Return a copy of a command that runs in the application's context, or says why there is no application."""
    made, function = copy(command), command.callback
    if function is None:
        return made

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        if fault is not None and not hasattr(function, "works_without_app"):
            raise click.ClickException(str(fault))
        with _database_explained():
            return function(*args, **kwargs)

    made.callback = with_appcontext(run)
    return made


@contextmanager
def _database_explained() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        cause = str(error.orig).strip()
        if drivers.is_behind(error):
            raise click.ClickException(f"The database is behind: run `alembic upgrade head`. {cause}") from error
        if drivers.is_lost(error):
            raise click.ClickException(f"The database does not answer. {cause}") from error
        raise


def shell_names() -> dict[str, object]:
    """Return the names that ``flask shell`` knows: the database and every model, a second ``Book`` as ``shop_Book``."""
    names: dict[str, object] = {"db": services.db}
    for module, file in offers(current_app, "models"):
        for name, value in vars(file).items():
            if hasattr(value, "__mapper__") and names.setdefault(name, value) is not value:
                names[f"{module.label}_{name}"] = value
    return names
