"""Backups of the whole database in one checked file, as the engine itself writes it, and the way back.

What goes from one engine to another is :mod:`core.transfer`.
"""

from .archives import BackupError
from .archives import Manifest
from .restoring import next_steps
from .restoring import rehearse
from .restoring import restore
from .restoring import verify
from .taking import backup

__all__ = ["BackupError", "Manifest", "backup", "next_steps", "rehearse", "restore", "verify"]
