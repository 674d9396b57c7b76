"""The known permissions: those that the policies of the installed modules ask for."""

from flask import Flask

from .. import modules
from .policies import NAMES
from .policies import OWNERS_NAMES


def permissions(app: Flask | None = None) -> list[str]:
    """Return the permissions of an application, by default the current one, by name.

    What a policy asks for is known as soon as its module is imported; the first word of its name is the
    module's label.
    """
    labels = {module.label for module in modules.installed(app)}
    return sorted(name for name in NAMES if name.partition(".")[0] in labels)


def owners_permissions(app: Flask | None = None) -> set[str]:
    """Return those permissions whose use needs no role: with a row of one's own."""
    return OWNERS_NAMES & {*permissions(app)}
