"""Migrations over modules: one history for the project, in ``alembic/versions``.

``alembic/env.py`` runs :func:`run`; the other functions do the same from within Python.
"""

from alembic.util import CommandError

from .commands import downgrade
from .commands import make_config
from .commands import pending
from .commands import upgrade
from .environment import run

__all__ = ["CommandError", "downgrade", "make_config", "pending", "run", "upgrade"]
