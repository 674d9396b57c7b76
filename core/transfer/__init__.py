"""The rows of all modules in files that every engine can read: dumped, carried over, loaded, compared.

For a copy of one database on the same engine, :mod:`core.backups` is quicker, and keeps what is no model's.
"""

from .dumping import dump
from .faults import TransferError
from .loading import load
from .sequences import catch_up

__all__ = ["TransferError", "catch_up", "dump", "load"]
