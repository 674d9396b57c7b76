"""Health checks of the accounts."""

from app.health import check
from core.data.models import now

from .sessions import lifetimes


# The rest of the site works without.
@check(essential=False)
def session_store() -> None:
    """Sessions can be looked up."""
    lifetimes.store().find("", "", now())
