"""The application for WSGI servers, as ``wsgi:app``."""

from run import app

__all__ = ["app"]
