"""A stand-in for an application that cannot start."""

import traceback

from flask import Flask
from flask import Response

import config
import settings

from .. import modules
from ..configuration.addresses import LOOPBACK
from . import add_commands


def create_stand_in(fault: Exception) -> Flask:
    """Make an application that explains what keeps the real one from starting.

    The development server answers with it until the fault is corrected. Its commands say what is wrong, apart from
    those that :func:`core.cli.works_without_app`.
    """
    app = Flask("app", static_folder=None)
    app.extensions["start_fault"] = fault
    environment = config.variables().get("APP_ENV") or "development"
    app.config.from_mapping(APP_ENV=environment, HOST=None, PORT=None, TRUSTED_HOSTS=LOOPBACK)
    text = f"The application cannot start.\n\n{fault}\n\n{''.join(traceback.format_exception(fault))}"
    app.before_request(lambda: Response(text, 500, mimetype="text/plain"))
    add_commands(app, list(modules.importable(settings.INSTALLED_APPS)), fault)
    return app
