"""The module's place in the navigation bar."""

from core.pages.menu import Link


def entries() -> list[Link]:
    """Return the links, in order."""
    return [Link("Places", "api.index")]
