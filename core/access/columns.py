"""The attributes of a model that the current identity may read.

.. code-block:: python

    notes: Mapped[str | None] = mapped_column(Text, info={"read": permission("shop.order.notes")})

``info={"hidden": True}`` hides an attribute from every identity, ``info={"read": policy}`` from those that the policy
does not allow: in pages, forms, REST and its filters, sorts and search, JSON-RPC, the history, and documents. What
one may not read one cannot write either. A relationship is hidden with its foreign key.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm.interfaces import MANYTOONE

from ..fields.columns import is_hidden
from .checks import allowed
from .policies import Policy

_NONE: frozenset[str] = frozenset()


def hidden_attributes(model: type[Any]) -> frozenset[str]:
    """Return the attributes of a model that the current identity may not read."""
    rules = column_policies(model)
    if not rules:
        return _NONE
    return frozenset(name for name, policy in rules.items() if policy is None or not allowed(policy))


def column_policies(model: type[Any]) -> dict[str, Policy | None]:
    """Return the attributes with restricted reading, each with its policy; ``None`` for those that are always hidden.

    :raises TypeError: if what an ``info`` holds is no policy, or one that depends on the row
    """
    return _policies(sa.inspect(model))


@lru_cache(maxsize=2000)
def _policies(mapper: Any) -> dict[str, Policy | None]:
    return dict(_rules(mapper))


def _rules(mapper: Any) -> Iterator[tuple[str, Policy | None]]:
    for name, attribute in mapper.all_orm_descriptors.items():
        if not hasattr(attribute, "info"):
            continue
        where = f"{mapper.class_.__name__}.{name}"
        policy = attribute.info.get("read") or _of_foreign_key(mapper, name)
        if policy is not None:
            yield name, _checked(where, mapper, name, policy)
        elif name in mapper.columns and is_hidden(mapper.columns[name]):
            yield name, None


def _of_foreign_key(mapper: Any, name: str) -> Any:
    relation = mapper.relationships.get(name)
    if relation is None or relation.direction is not MANYTOONE:
        return None
    return next((column.info["read"] for column in relation.local_columns if "read" in column.info), None)


def _checked(where: str, mapper: Any, name: str, policy: Any) -> Policy:
    if not isinstance(policy, Policy) or policy.knows_owners:
        raise TypeError(f'{where}: info["read"] must be a policy that does not depend on the row: permission("…")')
    column = mapper.columns.get(name)
    if column is not None and (column.primary_key or column is mapper.version_id_col):
        raise TypeError(f'{where} identifies the row: it cannot have info["read"]')
    return policy
