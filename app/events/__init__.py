"""Direct SQL: what visitors do on other sites, collected and counted by hand-written statements."""

from flask import Blueprint

from core.http.apis import mark_api

bp = Blueprint("events", __name__, url_prefix="/events")
mark_api(bp)

from . import api
