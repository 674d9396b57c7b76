"""The warnings of each start: what looks wrong, and lets the application start all the same."""

import logging

from flask import Flask
from flask.blueprints import BlueprintSetupState

from core import modules
from core.access import endpoints
from core.platform import platform_of
from core.signals import app_ready

from . import shadows
from . import unknown_variables

logger = logging.getLogger(__name__)

#: Endpoints that one warning names.
MOST_NAMED = 5


def install(state: BlueprintSetupState) -> None:
    """Look at the application once it is whole."""
    app_ready.connect(warn, state.app)


def warn(app: Flask) -> None:
    """Log what is open without a policy, what is never reached, and variables that look like a setting.

    Variables are not named in testing, where they are a developer's, nor where none was read.
    """
    found = endpoints.undeclared(app)
    if found:
        more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
        named = ", ".join(found[:MOST_NAMED])
        logger.warning("public, as no policy is declared: %s%s (see `access`)", named, more)
    for shadow in shadows.find_shadows(app):
        logger.warning("%s %s", shadow.message, shadow.hint)
    if platform_of(app).has_read_environment and app.config["APP_ENV"] != "testing":
        for variable in unknown_variables.find_unknown(modules.installed(app)):
            logger.warning("%s %s", variable.message, variable.hint)
