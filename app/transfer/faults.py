"""Obstacles to a dump or a load."""


class TransferError(Exception):
    """Rows cannot be dumped or loaded; the message says which, why, and what to do."""
