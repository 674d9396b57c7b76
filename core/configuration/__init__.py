"""The machinery of the configuration: settings, readers of their text, and their faults, all at once.

The settings of the platform are in ``config.py``, which imports this package: nothing here may import
``config`` but :mod:`.deployment`, which adds the settings of modules, and what stands on it.
"""

from .addresses import host_and_port
from .addresses import host_name
from .settings import ConfigError
from .settings import Group
from .settings import Setting
from .values import boolean
from .values import integer
from .values import one_of
from .values import path_in
from .values import words

__all__ = [
    "ConfigError",
    "Group",
    "Setting",
    "boolean",
    "host_and_port",
    "host_name",
    "integer",
    "one_of",
    "path_in",
    "words",
]
