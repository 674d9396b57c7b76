"""About: shows versions and settings of a deployment, without secrets.

``flask about`` prints it, also while the database is away.
"""

from flask import Blueprint

bp = Blueprint("about", __name__)

__all__ = ["bp"]
