"""The platform: a factory, the verbs over models, and their faces. No module is named here."""

from .factory import create_app
from .modules import offers

__all__ = ["create_app", "offers"]
