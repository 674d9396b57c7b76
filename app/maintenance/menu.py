"""The line above each page for those who are let through."""

from flask_babel import gettext

from .refusals import passed


def notice() -> str | None:
    """Return what reminds those who pass that visitors do not; ``None`` for all others."""
    found = passed()
    return (
        None
        if found is None
        else gettext("The site is closed for maintenance: you pass, visitors read “%(text)s”", text=found.text)
    )
