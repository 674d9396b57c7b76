"""Accounts: sign-in, second factors, roles and tokens."""

from typing import cast

from flask import Blueprint
from flask import Flask

from core.access import SIGNED_IN
from core.declarations import declare

bp = Blueprint("accounts", __name__, url_prefix="/accounts", template_folder="templates", static_folder="static")
declare(bp, "policy", SIGNED_IN)

from . import first_steps
from . import routes
from . import security
from . import security_events
from .factors import pages as factor_pages
from .roles import pages as role_pages
from .sessions import pages as session_pages
from .tokens import pages as token_pages

# Flask declares the application here as the part of one that does no I/O.
bp.record_once(lambda state: security.init_app(cast(Flask, state.app)))
