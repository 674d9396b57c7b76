"""A module with an API for the tests of tokens and roles: public endpoints, and ones that need a permission."""

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

OPEN = permission("billing.payment.open")
OWN = permission("billing.draft.open", owner="owner_key")
READ = permission("billing.invoice.read")

bp = Blueprint("billing", __name__, url_prefix="/billing")
page = Blueprint("billing_page", __name__, url_prefix="/billing-page")
mark_api(bp)
restrict(bp, PUBLIC)
restrict(page, PUBLIC)


@bp.get("/caller")
def caller() -> dict[str, Any]:
    """Return the caller."""
    who = identity()
    scopes = None if who.scopes is None else sorted(who.scopes)
    return {"key": who.key, "permissions": sorted(who.permissions), "scopes": scopes, "via": who.via}


@bp.get("/notice")
def notice() -> dict[str, Any]:
    """Return a public notice."""
    return {"open": "9 to 5"}


@bp.post("/payment")
@access(OPEN)
def payment() -> dict[str, Any]:
    """Open the payment."""
    return {"open": True}


@bp.post("/draft")
@access(OWN)
def draft() -> dict[str, Any]:
    """Open a draft of the caller's."""
    return {"open": True}


@bp.get("/invoice")
@access(READ)
def invoice() -> dict[str, Any]:
    """Show what there is."""
    return {"coins": 1}


@bp.post("/transfer")
@access(OPEN)
@idempotent
def transfer() -> dict[str, Any]:
    """Count, once for each key."""
    return {"count": 1}


@bp.get("/reminder")
@limited("2 per minute")
def reminder() -> dict[str, Any]:
    """Ring, not too often."""
    return {}


@page.get("/caller")
def page_caller() -> dict[str, Any]:
    """Return the caller, where there is no API."""
    return {"key": identity().key}


@page.get("/payment")
@access(OPEN)
def page_payment() -> dict[str, Any]:
    """Show the payment."""
    return {"coins": 1}
