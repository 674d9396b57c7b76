"""Development: explains common mistakes on error pages, in development only."""

from flask import Blueprint

bp = Blueprint("development", __name__, template_folder="templates")

from . import behind
from . import form_tokens

bp.record(behind.install)
bp.record(form_tokens.install)

__all__ = ["bp"]
