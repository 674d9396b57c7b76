"""The modules. Each is listed in settings.INSTALLED_APPS and goes with its line there.

``app:app`` is the application of :mod:`run`, for ``gunicorn app:app``. It is made when it is asked for: to import a
module does not make one.
"""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    """Return the application under its name (PEP 562)."""
    if name == "app":
        return importlib.import_module("run").app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
