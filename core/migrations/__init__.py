"""Migrations over modules: one history for the project, in ``alembic/versions``.

``alembic/env.py`` runs :func:`run`; the other functions do the same from within Python.
"""

from alembic.util import CommandError

from .commands import applied
from .commands import downgrade
from .commands import held_back
from .commands import make_config
from .commands import pending
from .commands import upgrade
from .commands import waiting_after
from .environment import make_engine
from .environment import run

__all__ = [
    "CommandError",
    "applied",
    "downgrade",
    "held_back",
    "make_config",
    "make_engine",
    "pending",
    "run",
    "upgrade",
    "waiting_after",
]
