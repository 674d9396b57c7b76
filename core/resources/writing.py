"""Write a resource with all that was derived for it, as code that can be pasted and changed."""

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from ..access import PUBLIC
from ..access import SIGNED_IN
from ..access import Policy
from .declaration import Resource

#: Characters of a line, as the project's formatter has them.
WIDTH = 120

#: The attributes, in the order in which they are written.
_NAMES = (
    *("path", "plural", "search", "filters", "sorts", "order", "page_size"),
    *("columns", "details", "fields", "includes", "allow", "access"),
)


def write(resource: Resource) -> str:
    """Return the class of a resource, every attribute said."""
    cls = type(resource)
    lines = [f"class {cls.__name__}(Resource):", f"    model = {cls.model.__name__}"]
    for name in _NAMES:
        lines += _attribute(name, getattr(cls, name))
    policies = {_policy(policy).partition("(")[0] for policy in cls.access.values()}
    imports = [f"from core.access import {name}" for name in sorted(policies)]
    return "\n".join([*imports, "from core.resources import Resource", "", "", *lines, ""])


def _attribute(name: str, value: Any) -> Iterator[str]:
    plain = f"    {name} = {_write(value)}"
    if len(plain) <= WIDTH:
        yield plain
        return
    opening, closing = "{}" if isinstance(value, Mapping) else "()"
    yield f"    {name} = {opening}"
    for one in value:
        yield f"        {_write(one)}{f': {_write(value[one])}' if isinstance(value, Mapping) else ''},"
    yield f"    {closing}"


def _write(value: Any) -> str:
    if isinstance(value, Policy):
        return _policy(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_write(key)}: {_write(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_write, value))}{',' if len(value) == 1 else ''})"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _policy(policy: Policy) -> str:
    if policy in (PUBLIC, SIGNED_IN):
        return "PUBLIC" if policy == PUBLIC else "SIGNED_IN"
    owner = getattr(policy, "owner", None)
    names = ", ".join(f'"{name}"' for name in sorted(policy.permissions))
    return f"permission({names}{f', owner={owner!r}' if owner else ''})".replace("'", '"')
