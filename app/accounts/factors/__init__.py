"""The second factor and passkeys, on top of Flask-Security."""

from .setup import FOR_USERS
from .setup import PARTS
from .setup import init_app
from .setup import options

__all__ = ["FOR_USERS", "PARTS", "init_app", "options"]
