"""Checks of a deployment, which a module offers in its ``checks.py``: each has an id, a level and a hint.

.. code-block:: python

    @check("shop.key-missing", Level.ERROR, production=True)
    def key(deployment: Deployment) -> Iterator[Finding]:
        \"\"\"The key of the payment service is set.\"\"\"
        if not deployment.config.get("SHOP_KEY"):
            yield Finding("SHOP_KEY is not set.", hint="Set it to the key of your account.")

A check only looks: it changes nothing, and takes no more than a moment.
"""

import enum
import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask

from core.configuration.collected import ROOT


class Level(enum.IntEnum):
    """Severity of a finding."""

    #: Worth knowing.
    INFO = 1
    #: Not as it should be.
    WARNING = 2
    #: It does not work, or is not safe.
    ERROR = 3

    @property
    def word(self) -> str:
        """The level as people and programs write it."""
        return self.name.lower()


class Needs(enum.IntEnum):
    """Prerequisite of a check."""

    NOTHING = 1
    #: An application that starts; the check runs in its context.
    APP = 2
    #: And a database that answers.
    DATABASE = 3


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    :param message: a sentence: what is so, with the value, but never with a secret
    :param hint: a sentence: what to do
    :param where: the variable, the file or the table that it is about
    """

    message: str
    hint: str
    where: str = ""


@dataclass(frozen=True)
class Deployment:
    """Deployment that is examined.

    :param app: as it starts in the examined environment; one that knows nothing where ``fault`` is set
    :param named: the environment that the deployment itself names, also where it is examined as another
    :param fault: what keeps the application from starting
    :param root: the folder of the project
    """

    app: Flask
    named: str
    is_production: bool = False
    fault: Exception | None = None
    root: Path = ROOT

    @property
    def config(self) -> Mapping[str, Any]:
        """The application's configuration."""
        return self.app.config


Look = Callable[[Deployment], Iterable[Finding]]

#: ``<module>.<what-is-wrong>``.
_ID = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9-]*")


@dataclass(frozen=True)
class Check:
    """One look at a deployment.

    :param id: stays the same for ever: scripts and people rely on it
    :param in_production: whether it is only looked at where production is examined
    """

    id: str
    level: Level
    look: Look
    needs: Needs
    in_production: bool

    @property
    def rule(self) -> str:
        """Expected state, in one sentence."""
        return str(self.look.__doc__).partition("\n")[0]


def check(
    identity: str, level: Level, *, needs: Needs = Needs.APP, production: bool = False
) -> Callable[[Look], Check]:
    """Return a decorator that makes a check of a function which yields findings.

    The first line of its docstring is the rule: a sentence that says what should be so.

    :param identity: ``<module>.<what-is-wrong>``
    :param production: whether it matters in production only
    :raises ValueError: if the id is no such name, or the docstring is missing
    """
    if not _ID.fullmatch(identity):
        raise ValueError(f"{identity!r} is no id of a check: write it like 'shop.key-missing'.")

    def decorate(look: Look) -> Check:
        if not look.__doc__:
            raise ValueError(f"The check {identity!r} has no docstring: say in its first line what should be so.")
        return Check(identity, level, look, needs, production)

    return decorate
