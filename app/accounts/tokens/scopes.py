"""Scopes of a token: the permissions that its owner can use, in words, module by module."""

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from flask import current_app
from flask_babel import gettext
from flask_babel import pgettext

from core.access import Identity
from core.access import owners_permissions
from core.access import permissions
from core.fields.words import right_text
from core.modules import installed


@dataclass(frozen=True)
class Scope:
    """A permission, as people read it.

    :param name: ``example.product.edit``
    """

    name: str
    words: str


@dataclass(frozen=True)
class Group:
    """The scopes of one module."""

    title: str
    scopes: Sequence[Scope]


def offered(who: Identity) -> list[Group]:
    """Return the scopes that a user can give to a token: their permissions, also those for their own rows only."""
    own = owners_permissions()
    usable = [name for name in permissions() if name in who.permissions or name in own]
    return grouped(usable, own - who.permissions)


def grouped(names: Iterable[str], own_only: Collection[str] = ()) -> list[Group]:
    """Return permissions in words, module by module.

    :param names: in order
    :param own_only: those that are about rows of one's own
    """
    return [
        Group(_title(label), [Scope(name, _words(name, own_only=name in own_only)) for name in found])
        for label, found in groupby(names, lambda name: name.partition(".")[0])
    ]


def names(who: Identity) -> set[str]:
    """Return the names of what is offered."""
    return {scope.name for group in offered(who) for scope in group.scopes}


def _title(label: str) -> str:
    """Return what a module says of itself, up to the colon."""
    doc = next((module.package.__doc__ for module in installed(current_app) if module.label == label), None)
    title = (doc or label).strip().partition("\n")[0].partition(":")[0]
    return pgettext(label, title)


def _words(name: str, *, own_only: bool) -> str:
    text = pgettext(name.partition(".")[0], right_text(name))
    return gettext("%(right)s, where it is yours", right=text) if own_only else text
