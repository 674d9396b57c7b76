"""The whole application, with a module that waits for the database and says which process answers."""

from flask import Flask

import settings
from core.factory import create_app


def make() -> Flask:
    """Return the application."""
    return create_app(installed_apps=[*settings.INSTALLED_APPS, "tests.serving.counter"])
