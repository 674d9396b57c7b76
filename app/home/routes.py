"""The start page, and the status route that a monitor asks."""

from dataclasses import dataclass

from flask import Response
from flask import current_app
from flask import render_template
from flask_babel import pgettext

from core.modules import Module
from core.modules import describe
from core.modules import installed
from core.pages.menu import Entry
from core.pages.menu import entries
from services import csrf

from . import bp


@dataclass(frozen=True)
class Card:
    """A module as the start page shows it."""

    title: str
    text: str
    name: str
    links: list[Entry]


@bp.get("/")
def index() -> str:
    """Show what is installed."""
    return render_template("home/index.html", cards=[card(module) for module in installed()])


def card(module: Module) -> Card:
    """Describe a module by its docstring and its entries of the menu."""
    title, text = (pgettext(module.label, part) if part else "" for part in describe(module))
    return Card(title, text, module.name, entries(module.name))


@csrf.exempt
@bp.route("/status", methods=["GET", "POST"])
def status() -> Response:
    """Say that the server answers: pretty-printed, with 201, as its callers have always had it."""
    body = {"server_status": "OK", "description": "The server is up."}
    return Response(current_app.json.dumps(body, indent=2) + "\n", 201, mimetype="application/json")
