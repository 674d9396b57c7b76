"""A stand-in for an application that cannot start."""

import traceback

import click
from flask import Flask
from flask import Response
from flask.cli import AppGroup

import config
import settings

from .. import modules
from ..configuration.addresses import LOOPBACK
from ..platform import platform_of
from . import add_commands


class _Commands(AppGroup):
    """The commands of a stand-in; a list of them begins with the fault, as ``flask`` itself reports one."""

    def __init__(self, name: str, fault: Exception) -> None:
        super().__init__(name)
        self.fault = fault

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, and print the fault."""
        click.secho(f"Error: {self.fault}\n", err=True, fg="red")
        return super().list_commands(ctx)


def create_stand_in(fault: Exception) -> Flask:
    """Make an application that explains what keeps the real one from starting.

    The development server answers with it until the fault is corrected. Its commands say what is wrong, apart from
    those that :func:`core.cli.works_without_app`.
    """
    app = Flask("app", static_folder=None)
    app.cli = _Commands("app", fault=fault)
    platform_of(app).start_fault = fault
    environment = config.variables().get("APP_ENV") or "development"
    app.config.from_mapping(APP_ENV=environment, HOST=None, PORT=None, TRUSTED_HOSTS=LOOPBACK)
    text = f"The application cannot start.\n\n{fault}\n\n{''.join(traceback.format_exception(fault))}"
    app.before_request(lambda: Response(text, 500, mimetype="text/plain"))
    add_commands(app, list(modules.importable(settings.INSTALLED_APPS)), fault)
    return app
