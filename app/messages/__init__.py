"""Translations: extract the texts of the core and of each module, and keep its catalogues."""

from flask import Blueprint

bp = Blueprint("messages", __name__)

__all__ = ["bp"]
