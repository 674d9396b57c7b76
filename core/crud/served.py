"""The verbs that an application serves, for modules that work on rows of any module, such as their history."""

from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any

from flask import current_app
from flask.sansio.app import App

from ..platform import platform_of

if TYPE_CHECKING:
    from .verbs import Crud


@dataclass(frozen=True)
class Served:
    """The verbs over a model that some face serves.

    :param allow: what any face does with them
    :param writes: verb to the attributes that any face writes with it: ``create`` and ``update``
    """

    verbs: "Crud"
    allow: frozenset[str]
    writes: Mapping[str, frozenset[str]] = field(default_factory=dict)


def serve(app: App, verbs: "Crud", allow: Iterable[str], writes: Iterable[str] = ()) -> None:
    """Make known that a face serves these verbs; of several objects for one model the first counts.

    :param writes: the attributes that the face takes from outside: the fields of its form or its schema
    """
    known: dict[type[Any], Served] = platform_of(app).served
    found = known.setdefault(verbs.model, Served(verbs, frozenset()))
    if found.verbs is verbs:
        written = {verb: found.writes.get(verb, frozenset()) | {*writes} for verb in {"create", "update"} & {*allow}}
        known[verbs.model] = Served(verbs, found.allow | {*allow}, {**found.writes, **written})


def served(app: App | None = None) -> dict[type[Any], Served]:
    """Return what is served, by model; by default of the current application."""
    found: dict[type[Any], Served] = platform_of(app or current_app).served
    return found
