"""Migrations over modules: one history for the project, in ``alembic/versions``.

``alembic/env.py`` is written with :func:`make_environment`; the functions do the same from within Python.
"""

from alembic.util import CommandError

from .commands import applied
from .commands import distance
from .commands import downgrade
from .commands import make_config
from .commands import upgrade
from .environment import Environment
from .environment import make_engine
from .environment import make_environment
from .heads import explained
from .locks import exclusive
from .tables import Tables

__all__ = [
    "CommandError",
    "Environment",
    "Tables",
    "applied",
    "distance",
    "downgrade",
    "exclusive",
    "explained",
    "make_config",
    "make_engine",
    "make_environment",
    "upgrade",
]
