"""The catalogue's entries in the navigation bar."""

from core.pages.menu import Link


def entries() -> list[Link]:
    """Return what the navigation bar shows."""
    return [
        Link("Products", "example.product_list"),
        Link("Categories", "example.category_list"),
        Link("Tags", "example.tag_list"),
    ]
