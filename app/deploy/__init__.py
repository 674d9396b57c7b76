"""Deploy: writes the files with which the site is served on a server, in a container, or at a provider.

``flask deploy render DIR`` writes them. Nothing is installed: the operator looks at them first, and copies them.
"""

from flask import Blueprint

bp = Blueprint("deploy", __name__)

__all__ = ["bp"]
