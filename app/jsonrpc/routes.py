"""The page of the methods: to read them, and to call them."""

from itertools import groupby

from flask import current_app
from flask import render_template

from core.access import PUBLIC
from core.modules import installed as installed_modules

from . import bp
from .calls import MOST_CALLS
from .descriptions import Description
from .descriptions import codes
from .descriptions import describe
from .documents import installed


@bp.get("/docs/rpc")
def index() -> str:
    """Show every method, with what it takes and gives, and a form that calls it."""
    described = [describe(method) for method in installed().values()]
    groups = [(label, _about(label), [*found]) for label, found in groupby(described, _label)]
    known = {"codes": codes(), "most_calls": MOST_CALLS, "public": PUBLIC}
    return render_template("jsonrpc/index.html", groups=groups, **known)


def _label(description: Description) -> str:
    return description.method.name.partition(".")[0]


def _about(label: str) -> str:
    """Return what the ``rpc.py`` of a module says of itself, or where it has none, the module."""
    for module in installed_modules(current_app):
        if module.label == label:
            file = module.file("rpc") or module.package
            return " ".join((file.__doc__ or "").partition("\n\n")[0].split())
    return "What this endpoint says of itself."
