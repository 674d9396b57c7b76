"""A check that says, to load balancers and monitors, that visitors are asked to come back later."""

from flask import current_app

from app.health import check

from . import closings


@check(essential=False)
def site_open() -> str | None:
    """The site is open to visitors."""
    found = closings.current(current_app.config["MAINTENANCE_FILE"])
    return None if found is None else f"The site is closed for maintenance. Visitors read: {found.text}"
