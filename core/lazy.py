"""Modules that are imported when they are first used, because most processes never use them."""

import importlib
from typing import Any


class Lazy:
    """Stands for a module until one of its names is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self._name), name)


#: Alembic is a fifth of the start, and needed by commands only.
migrations = Lazy("core.migrations")

#: So are its checks.
doctor = Lazy("core.doctor.command")

#: So is what changes the secret.
rotating = Lazy("core.rotation.rotating")

#: The files of a deployment, and what they are rendered for.
deploy = Lazy("core.deploy.render")
deployments = Lazy("core.deploy.values")

#: What `flask about` shows.
about = Lazy("core.about")
