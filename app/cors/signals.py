"""Let pages of other sites in as soon as all APIs are known."""

from flask import Flask

from core.signals import app_ready

from . import bp
from . import origins


@app_ready.connect
def allow_origins(app: Flask) -> None:
    """Answer the configured origins of an application that has this module.

    :raises ConfigError: if origins are configured for what is no API
    """
    if app.blueprints.get(bp.name) is bp:
        origins.install(app)
