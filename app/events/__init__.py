"""Direct SQL: what visitors do on other sites, collected and counted by hand-written statements."""

from flask import Blueprint

from core.access import PUBLIC
from core.access import restrict
from core.http.apis import mark_api

bp = Blueprint("events", __name__, url_prefix="/events")
mark_api(bp)
# Events are sent by the visitors of other sites, who have no account here; nothing in them names a person, and
# the demo's totals are public.
restrict(bp, PUBLIC)

from . import api
