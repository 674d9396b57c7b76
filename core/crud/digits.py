"""No row is written with a decimal that its engine would give back with other digits."""

from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ..exceptions import Invalid
from ..fields.columns import plain_type
from ..fields.decimals import lost_digits

#: What each mapper has of decimals.
_known: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


def refuse_lost_digits(session: Session, context: Any, instances: Any) -> None:
    """Refuse what the ORM is to write, from wherever it was set.

    :raises Invalid: naming the attributes
    """
    for item in (*session.new, *session.dirty):
        mapper = sa.inspect(type(item))
        decimals = _decimals(mapper)
        if not decimals:
            continue
        engine_name = session.get_bind(mapper).dialect.name
        state = sa.inspect(item)
        # What stands there already may be of another time, and is not written again.
        set_ = state.dict if not state.persistent else {name: state.dict.get(name) for name in state.committed_state}
        lost = {name: lost_digits(set_.get(name), type_, engine_name) for name, type_ in decimals.items()}
        errors = {name: [message] for name, message in lost.items() if message}
        if errors:
            raise Invalid(errors)


def _decimals(mapper: Any) -> dict[str, Any]:
    """Return the attributes that hold decimals, each with its type."""
    found = _known.get(mapper)
    if found is None:
        columns = {attribute.key: attribute.columns[0] for attribute in mapper.column_attrs}
        types = {name: plain_type(column) for name, column in columns.items() if isinstance(column, sa.Column)}
        found = {name: type_ for name, type_ in types.items() if isinstance(type_, sa.Numeric)}
        _known[mapper] = found
    return found
