"""Development: explains what a developer has forgotten, a migration or the token of a form; does nothing elsewhere."""

from flask import Blueprint

bp = Blueprint("development", __name__, template_folder="templates")

from . import behind
from . import form_tokens

bp.record(behind.install)
bp.record(form_tokens.install)

__all__ = ["bp"]
