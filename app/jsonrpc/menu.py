"""The entry of the methods' page in the navigation bar."""

from flask_babel import gettext

from core.pages.menu import Link


def entries() -> list[Link]:
    """Return what the navigation bar shows."""
    return [Link(gettext("RPC"), "jsonrpc.index", is_secondary=True)]
