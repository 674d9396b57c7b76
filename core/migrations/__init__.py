"""Migrations over modules: one history for the project, in ``alembic/versions``.

``alembic/env.py`` is written with :class:`Environment`; the functions do the same from within Python.
"""

from alembic.util import CommandError

from .commands import applied
from .commands import distance
from .commands import downgrade
from .commands import make_config
from .commands import upgrade
from .environment import Environment
from .environment import make_engine
from .heads import explained

__all__ = [
    "CommandError",
    "Environment",
    "applied",
    "distance",
    "downgrade",
    "explained",
    "make_config",
    "make_engine",
    "upgrade",
]
