"""CORS: lets pages of other origins call the APIs."""

from flask import Blueprint

bp = Blueprint("cors", __name__)

from . import signals

__all__ = ["bp"]
