"""Writing of a row by the verbs: the values that are set, those that are refused, and refusals of the database."""

from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from flask_babel import gettext
from sqlalchemy import event
from sqlalchemy.exc import CircularDependencyError
from sqlalchemy.exc import DataError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from services import db

from ..exceptions import InUse
from ..exceptions import Invalid
from ..exceptions import Stale
from ..fields.columns import plain_type
from ..fields.decimals import lost_digits
from . import integrity
from . import references

if TYPE_CHECKING:
    from .verbs import Crud

#: Decimal columns by mapper.
_decimals: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


# --- values -------------------------------------------------------------------------------------


def assign(verbs: "Crud", item: Any, data: Mapping[str, Any]) -> None:
    """Set the values of a row that change; links that the current identity is not shown are kept.

    :raises TypeError: if there is no such attribute
    :raises Invalid: if a reference leads to a row that the current identity may not read
    """
    _refuse_unknown(verbs, data)
    new = sa.inspect(item).transient
    if not new:
        links = {name: value for name, value in data.items() if name in verbs.relations}
        data = {**data, **{name: references.with_hidden(getattr(item, name), links[name]) for name in links}}
    # Setting an equal value would be no change for the columns, but one for relationships.
    changed = [name for name, value in data.items() if new or _differs(verbs, item, name, value)]
    references.check(item, {name: data[name] for name in changed})
    for name in changed:
        setattr(item, name, data[name])
    if not new and verbs.version_key is not None and any(name in verbs.linked for name in changed):
        # A write to a secondary table alone would count no version.
        setattr(item, verbs.version_key, getattr(item, verbs.version_key) + 1)


def _refuse_unknown(verbs: "Crud", data: Mapping[str, Any]) -> None:
    # A plain property may write what is no column: a password, as its hash.
    unknown = [
        name
        for name in data
        if name not in verbs.attributes and not isinstance(getattr(verbs.model, name, None), property)
    ]
    if unknown:
        raise TypeError(f"{verbs.model.__name__} has no attribute {', '.join(unknown)}")


def _differs(verbs: "Crud", item: Any, name: str, value: Any) -> bool:
    before = getattr(item, name, None)
    # Rows that are linked by a secondary table have no order of their own.
    if name in verbs.linked:
        return set(before or ()) != set(value)
    # In JSON 1 is not true, though Python finds them equal.
    return before != value or type(before) is not type(value)


def store_null(table: Any) -> None:
    """Store None as NULL in nullable columns of JSON: SQLAlchemy would store JSON's null where it is set."""
    for column in (column for column in table.columns if column.nullable):
        for type_ in (column.type, *column.type._variant_mapping.values()):
            while isinstance(type_, sa.types.TypeDecorator):
                type_ = type_.impl_instance
            if isinstance(type_, sa.JSON):
                type_.none_as_null = True


@event.listens_for(db.session, "before_flush")
def refuse_lost_digits(session: Session, context: Any, instances: Any) -> None:
    """Refuse decimals that the engine would give back with other digits, from wherever they were set.

    :raises Invalid: naming the attributes
    """
    for item in (*session.new, *session.dirty):
        mapper = sa.inspect(type(item))
        decimals = _decimals_of(mapper)
        if not decimals:
            continue
        engine_name = session.get_bind(mapper).dialect.name
        state = sa.inspect(item)
        # A stored value may have older digits, and is not written again.
        set_ = state.dict if not state.persistent else {name: state.dict.get(name) for name in state.committed_state}
        lost = {name: lost_digits(set_.get(name), type_, engine_name) for name, type_ in decimals.items()}
        errors = {name: [message] for name, message in lost.items() if message}
        if errors:
            raise Invalid(errors)


def _decimals_of(mapper: Any) -> dict[str, Any]:
    """Return the attributes that hold decimals, each with its type."""
    found = _decimals.get(mapper)
    if found is None:
        columns = {attribute.key: attribute.columns[0] for attribute in mapper.column_attrs}
        types = {name: plain_type(column) for name, column in columns.items() if isinstance(column, sa.Column)}
        found = _decimals[mapper] = {name: type_ for name, type_ in types.items() if isinstance(type_, sa.Numeric)}
    return found


# --- keys and versions --------------------------------------------------------------------------


def refuse_unnameable(verbs: "Crud", item: Any) -> None:
    """Refuse a key by which no address could name the row.

    :raises Invalid: naming the attribute
    """
    fault = verbs.key.fault(item)
    if fault is not None:
        raise Invalid({fault[0]: [fault[1]]})


def refuse_stale(verbs: "Crud", item: Any, version: int | None) -> None:
    """Refuse to change a row that has another version than the caller has seen.

    :raises Stale: if it has
    """
    if version is not None and version != verbs.version(item):
        raise Stale


# --- the database -------------------------------------------------------------------------------


def flush(model: type[Any], data: Mapping[str, Any], *, deleting: bool = False) -> None:
    """Write what the session has changed; undo the transaction, or the savepoint, if the database refuses it.

    :param data: what was to be written, to explain a refusal
    :raises core.exceptions.VerbError: saying what was refused
    """
    savepoint = db.session().get_nested_transaction()
    # Changes before a savepoint are their author's to undo.
    undo = (savepoint or db.session).rollback
    asked: Any = db.session
    if savepoint is not None:
        # Once it is undone the session answers no more until its block has ended; the connection does.
        asked = db.session.connection({"mapper": sa.inspect(model)})
    try:
        db.session.flush()
    except StaleDataError:
        undo()
        raise Stale from None
    except Invalid:
        # A decimal that the engine would not keep.
        undo()
        raise
    except (IntegrityError, OperationalError) as error:
        if isinstance(error, OperationalError) and not integrity.is_refusal(error):
            raise
        undo()
        raise integrity.explain(error, model, data, asked, deleting=deleting) from error
    except DataError as error:
        undo()
        raise integrity.describe_misfit(error, model) from error
    except CircularDependencyError as error:
        # The ORM finds no order in which to write a row that points to itself.
        undo()
        if deleting:
            raise InUse(gettext("It points to itself: change that first.")) from error
        raise Invalid({"": [gettext("A row cannot point to itself here.")]}) from error
