"""Secret: changes SECRET_KEY without ending sessions.

``flask secret`` makes a secret, writes it beside the earlier one, encrypts again what the earlier one has encrypted
(:mod:`core.fields.encryption`, columns that modules offer in ``encrypted.py``), and drops it when nothing needs it.
Signatures need none of this: Flask, and what this platform signs with, take earlier secrets as long as they stand
in ``SECRET_KEY_FALLBACKS``.
"""

from flask import Blueprint

bp = Blueprint("secret", __name__)

__all__ = ["bp"]
