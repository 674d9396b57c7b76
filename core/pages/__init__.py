"""The HTML face of the verbs."""

from .views import Pages

__all__ = [
    "Pages",
]
