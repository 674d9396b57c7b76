"""Whether people can sign in and stay signed in."""

from core.health import check
from core.models import now

from .sessions import lifetimes


# The rest of the site works without.
@check(essential=False)
def session_store() -> None:
    """Who is signed in can be looked up."""
    lifetimes.store().find("", "", now())
