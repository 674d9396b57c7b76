"""The way to the plots, for those who may see them."""

from flask_babel import gettext

from core.access import allowed
from core.pages.menu import Link

from .routes import VIEW


def entries() -> list[Link]:
    """Return what the navigation bar shows."""
    return [Link(gettext("Monitoring"), "monitoring.index", is_secondary=True)] if allowed(VIEW) else []
