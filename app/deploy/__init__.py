"""Deployment: writes the files for servers, containers and providers.

``flask deploy render DIR`` writes them. Nothing is installed: the operator looks at them first, and copies them.
"""

from flask import Blueprint

bp = Blueprint("deploy", __name__)

__all__ = ["bp"]
