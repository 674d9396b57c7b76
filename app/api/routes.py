"""The page that presents the API to people."""

from flask import render_template
from flask import url_for
from flask_babel import lazy_gettext

from core.access import PUBLIC
from core.access import access

from . import bp

#: Examples on the page: a sentence and the query string of the list of cities.
SAMPLES = (
    (lazy_gettext("The largest cities"), ""),
    (lazy_gettext("Cities of Spain with more than half a million people"), "country_code=ES&population__gte=500000"),
    (lazy_gettext("Search without accents"), "q=sao paulo"),
    (lazy_gettext("By name, five at a time, with the total"), "sort=name&limit=5&count=true"),
)


@bp.get("/")
@access(PUBLIC)
def index() -> str:
    """Show what the API is, what to try, and whose data it is."""
    cities = url_for("api.v1.cities", _external=True)
    samples = [(label, f"{cities}?{query.replace(' ', '%20')}" if query else cities) for label, query in SAMPLES]
    return render_template("api/index.html", samples=samples)
