"""Who may read the rows of a model, wherever they are shown: on the page of another row, or included with it.

Whoever may read them by the verbs of their own: those that a face of this application serves, else the first
that were made. A model without verbs, or whose verbs say nothing, is open to everybody.
"""

from typing import TYPE_CHECKING
from typing import Any
from weakref import WeakKeyDictionary
from weakref import ref

from ..access import Policy
from ..access import allowed
from ..access import condition
from .served import served

if TYPE_CHECKING:
    from .verbs import Crud

_first: "WeakKeyDictionary[type[Any], ref[Crud]]" = WeakKeyDictionary()


def add(verbs: "Crud") -> None:
    """Make the verbs of a model known."""
    known = _first.get(verbs.model)
    if known is None or known() is None:
        _first[verbs.model] = ref(verbs)


def policy_of(model: type[Any], verb: str = "get") -> Policy | None:
    """Return who may read the rows of a model; ``None`` if that was never declared.

    :param verb: ``get`` for a row, ``list`` for several
    """
    verbs = verbs_of(model)
    return None if verbs is None else verbs.access.get(verb)


def verbs_of(model: type[Any]) -> "Crud | None":
    """Return the verbs by which the rows of a model are read; ``None`` if it has none."""
    in_use = served()
    for one in model.__mro__:
        if one in in_use:
            return in_use[one].verbs
        known = _first.get(one)
        if known is not None:
            return known()
    return None


def may_read(item: Any) -> bool:
    """Return whether whoever is asking may read a row."""
    policy = policy_of(type(item))
    return policy is None or allowed(policy, item)


def may_list(model: type[Any]) -> bool:
    """Return whether whoever is asking may list some of a model's rows at least."""
    policy = policy_of(model, "list")
    return policy is None or allowed(policy)


def narrow(select: Any, model: type[Any], verb: str = "list") -> Any:
    """Leave of a SELECT the rows that whoever is asking may read."""
    policy = policy_of(model, verb)
    own = None if policy is None else condition(policy, model)
    return select if own is None else select.where(own)
