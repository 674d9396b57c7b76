"""About: shows what a deployment is made of and how it is set, without a secret.

``flask about`` prints it, also while the database is away.
"""

from flask import Blueprint

bp = Blueprint("about", __name__)

__all__ = ["bp"]
