"""The entry of the API's page in the navigation bar."""

from core.pages.menu import Link


def entries() -> list[Link]:
    """Return what the navigation bar shows."""
    return [Link("API", "apidocs.index", is_secondary=True)]
