"""CORS: lets pages of other sites call the APIs, as ``CORS_ORIGINS`` says; without this module none may."""

from flask import Blueprint

bp = Blueprint("cors", __name__)

from . import signals

__all__ = ["bp"]
