"""A module with an API for the tests of tokens and roles: who asks, what anybody may, and what takes a permission."""

from typing import Any

from flask import Blueprint

from core.access import PUBLIC
from core.access import access
from core.access import identity
from core.access import permission
from core.access import restrict
from core.api.idempotency import idempotent
from core.api.limits import limited
from core.http.apis import mark_api

OPEN = permission("bank.safe.open")
OWN = permission("bank.box.open", owner="owner_key")
READ = permission("bank.ledger.read")

bp = Blueprint("bank", __name__, url_prefix="/bank")
page = Blueprint("bank_page", __name__, url_prefix="/bank-page")
mark_api(bp)
restrict(bp, PUBLIC)
restrict(page, PUBLIC)


@bp.get("/teller")
def teller() -> dict[str, Any]:
    """Say who asks."""
    who = identity()
    scopes = None if who.scopes is None else sorted(who.scopes)
    return {"key": who.key, "permissions": sorted(who.permissions), "scopes": scopes, "via": who.via}


@bp.get("/window")
def window() -> dict[str, Any]:
    """Say something to anybody."""
    return {"open": "9 to 5"}


@bp.post("/safe")
@access(OPEN)
def safe() -> dict[str, Any]:
    """Open the safe."""
    return {"open": True}


@bp.post("/box")
@access(OWN)
def box() -> dict[str, Any]:
    """Open a box of one's own."""
    return {"open": True}


@bp.get("/ledger")
@access(READ)
def ledger() -> dict[str, Any]:
    """Show what there is."""
    return {"coins": 1}


@bp.post("/coins")
@access(OPEN)
@idempotent
def coins() -> dict[str, Any]:
    """Count, once for each key."""
    return {"count": 1}


@bp.get("/bell")
@limited("2 per minute")
def bell() -> dict[str, Any]:
    """Ring, not too often."""
    return {}


@page.get("/teller")
def page_teller() -> dict[str, Any]:
    """Say who asks, where there is no API."""
    return {"key": identity().key}


@page.get("/safe")
@access(OPEN)
def page_safe() -> dict[str, Any]:
    """Look into the safe."""
    return {"coins": 1}
