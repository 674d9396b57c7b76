"""Whether people can sign in and stay signed in."""

from core.data.models import now
from core.http.health import check

from .sessions import lifetimes


# The rest of the site works without.
@check(essential=False)
def session_store() -> None:
    """Who is signed in can be looked up."""
    lifetimes.store().find("", "", now())
