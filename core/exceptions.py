"""Errors that the verbs raise. None of it knows HTTP: :mod:`core.http.errors` gives each its answer."""

from collections.abc import Iterable

from flask_babel import gettext
from flask_babel import lazy_gettext


class VerbError(Exception):
    """A verb could not do what it was asked."""


class NotFound(VerbError):
    """There is no such row, or none that the caller may see."""


class Invalid(VerbError):
    """The data breaks the rules of its fields.

    :param errors: field name to its messages; the name ``""`` means the whole
    """

    def __init__(self, errors: dict[str, list[str]]) -> None:
        self.errors = errors
        super().__init__("; ".join(f"{name}: {' '.join(texts)}" for name, texts in errors.items()))


class BadQuery(Invalid):
    """A list was asked for in words that it does not understand."""


#: How the error of a parameter that does not exist begins.
UNKNOWN = lazy_gettext("Unknown parameter.")


def unknown_parameters(names: Iterable[str], known: str) -> dict[str, list[str]]:
    """Return the errors of parameters that are unknown; the first also names the known ones.

    Repeated for each, it would make the answer many times as long as the question.

    :param known: a sentence
    """
    first = f"{UNKNOWN} {known}"
    return {name: [str(UNKNOWN) if number else first] for number, name in enumerate(names)}


class InUse(VerbError):
    """The row cannot be deleted while others point to it."""


class Unnumbered(VerbError):
    """The database has no free number for a new row; the message is for its administrator."""


class Stale(VerbError):
    """The row has changed since the caller read it."""


class Unauthenticated(VerbError):
    """It is not known who is asking, and must be."""


class Forbidden(VerbError):
    """It is known who is asking, and they may not.

    :param permissions: any of which would be enough
    """

    def __init__(self, permissions: Iterable[str] = ()) -> None:
        self.permissions = frozenset(permissions)
        names = " or ".join(sorted(self.permissions))
        super().__init__(gettext("This takes the permission %(names)s.", names=names) if permissions else "")
