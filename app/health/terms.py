"""Tools for a module's ``health.py``: functions that try, now, whether something works.

.. code-block:: python

    @check(seconds=0.5, essential=False)
    def warehouse():
        \"\"\"The warehouse answers.\"\"\"
        if not warehouse.ping():
            raise CheckFailed("The warehouse at 10.0.0.7 does not answer.", hint="Start the warehouse.")

A plain function is a check as well. Its collector (``app.health``) calls each in a thread of its own,
in the application's context, and waits no longer than its time limit.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

#: Default and longest seconds of a check: monitors want an answer within three.
SECONDS = 2.0


@dataclass(frozen=True)
class Terms:
    """On which terms a function is a check.

    :param seconds: that it may take
    :param essential: whether the site is not ready while it fails; else that is only reported
    """

    seconds: float = SECONDS
    essential: bool = True


def check(*, seconds: float = SECONDS, essential: bool = True) -> Callable[[Function], Function]:
    """Return a decorator that sets the terms of a check; see :class:`Terms`."""
    if not 0 < seconds <= SECONDS:
        raise ValueError(f"A check takes more than 0 and at most {SECONDS} seconds, not {seconds}.")

    def decorate(function: Function) -> Function:
        function.health = Terms(seconds, essential)  # type: ignore[attr-defined]  # a mark
        return function

    return decorate


class CheckFailed(Exception):
    """Something does not work.

    :param message: what is wrong, for those who may know: it may name hosts, paths and versions
    :param hint: what to do, in a few words, which are public
    :param parts: what is missing, by module; visitors see the names of the modules, and no more
    """

    def __init__(self, message: str, hint: str = "", parts: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.parts = parts or {}
