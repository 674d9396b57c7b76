"""The module's place in the navigation bar."""

from flask_babel import gettext

from core.pages.menu import Link


def entries() -> list[Link]:
    """Return the links, in order."""
    return [Link(gettext("Places"), "api.index")]
