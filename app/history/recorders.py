"""Sees what the session writes and keeps it: one INSERT for each flush, in the same transaction.

It sees every row that the ORM inserts, updates or deletes, whichever face asked for it, with the links of its
many-to-many relationships. It does not see statements: ``session.execute(update(…))``, bulk inserts, SQL by hand,
and what the database does by itself (ON DELETE CASCADE). Code that runs such reports it by
:data:`core.signals.row_written`.

A read costs nothing: there are no listeners but those of models that are recorded, and of flushes.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask import current_app
from flask import has_app_context
from flask import has_request_context
from flask.blueprints import BlueprintSetupState
from sqlalchemy import event
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Mapper
from sqlalchemy.orm import Session
from sqlalchemy.orm import object_session

from core.access import identity
from core.access import is_unchecked
from core.crud.readers import served
from core.data.models import now
from core.logs import request_id
from core.modules import offers
from core.signals import app_ready
from core.signals import row_written
from services import db

from . import notes
from .bounds import fit
from .models import LONGEST_NAME
from .models import Change
from .plans import Plan
from .plans import make_plan

#: The plans of an application by model. Another one in the same process may have other modules.
Plans = dict[type[Any], Plan]

_INSERT = sa.insert(Change.__table__).inline()
_NAMES = [column.name for column in Change.__table__.columns if column.name != "id"]


@dataclass
class History:
    """The plans of one application."""

    plans: Plans = field(default_factory=dict)


def install(state: BlueprintSetupState) -> None:
    """Let an application have a history; what is recorded is known when all its modules are there."""
    state.app.extensions["history"] = History()


@app_ready.connect
def begin(app: Flask) -> None:
    """Record the models that faces serve, and those that say ``__recorded__ = True``; never what says ``False``."""
    history: History | None = app.extensions.get("history")
    if history is None:
        return
    declared = (value for _, file in offers(app, "models") for value in vars(file).values())
    said = (value for value in declared if hasattr(value, "__mapper__") and value.__dict__.get("__recorded__"))
    for model in (*served(app), *said):
        if getattr(model, "__recorded__", True):
            history.plans[model] = make_plan(sa.inspect(model))
            _listen(model)


def plans_of(app: Flask | None = None) -> Plans:
    """Return what is recorded, by model."""
    history: History = (app or current_app).extensions["history"]
    return history.plans


@contextmanager
def undoing(change: Change) -> Iterator[None]:
    """Write beside what is recorded meanwhile that it takes back a change."""
    info = db.session().info
    info["undoes"] = change.id
    try:
        yield
    finally:
        info.pop("undoes", None)


# --- the rows -----------------------------------------------------------------------------------


def _listen(model: type[Any]) -> None:
    for name, listener in (("after_insert", _inserted), ("before_update", _updated), ("before_delete", _deleted)):
        # Another application of this process may have the model, too.
        if not event.contains(model, name, listener):
            event.listen(model, name, listener)


def _inserted(mapper: Mapper[Any], connection: sa.Connection, item: Any) -> None:
    known, plan = _place(mapper, item)
    if plan is not None:
        known.append(notes.note_created(plan, item))


def _updated(mapper: Mapper[Any], connection: sa.Connection, item: Any) -> None:
    known, plan = _place(mapper, item)
    note = None if plan is None else notes.note_updated(plan, connection, item)
    if note is not None:
        known.append(note)


def _deleted(mapper: Mapper[Any], connection: sa.Connection, item: Any) -> None:
    known, plan = _place(mapper, item)
    if plan is not None:
        known.append(notes.note_deleted(plan, connection, item))


def _place(mapper: Mapper[Any], item: Any) -> tuple[list[notes.Note], Plan | None]:
    """Return the notes of the flush that writes a row, and the row's plan; ``None`` where no history is kept."""
    session = object_session(item)
    known = None if session is None else session.info.get("history")
    return (known, plans_of().get(mapper.class_)) if known is not None else ([], None)


# --- the session --------------------------------------------------------------------------------


@event.listens_for(db.session, "before_flush")
def _start(session: Session, *rest: Any) -> None:
    # The remains of a failed flush are not true.
    session.info.pop("history", None)
    if has_app_context() and "history" in current_app.extensions and plans_of():
        session.info["history"] = []


@event.listens_for(db.session, "after_flush")
def _write(session: Session, *rest: Any) -> None:
    known: list[notes.Note] | None = session.info.pop("history", None)
    if known:
        common = _circumstances(session)
        _insert(session, [note.row(session, common) for note in known])


@row_written.connect
def keep(
    model: type[Any], *, key: Any, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, **rest: Any
) -> None:
    """Record what a statement has done, of which the session does not know."""
    plan = plans_of().get(model) if "history" in current_app.extensions else None
    if plan is None:
        return
    verb = "create" if before is None else "delete" if after is None else "update"
    session = db.session()
    parts = key if isinstance(key, tuple) else (key,)
    _insert(session, [notes.make_row(plan, parts, verb, before, after, _circumstances(session))])


def _insert(session: Session, rows: list[dict[str, Any]]) -> None:
    """Insert rows as the driver takes them: through SQLAlchemy's Core it is the larger part of what recording costs."""
    most = current_app.config["HISTORY_CHANGE_BYTES"]
    rows = [fit(row, most) for row in rows]
    connection = session.connection(bind_arguments={"clause": Change.__table__})
    sql, names, binds = _prepared(connection.dialect)
    ready = [{name: binds[name](value) if name in binds else value for name, value in row.items()} for row in rows]
    parameters: Any = ready if names is None else [tuple(row[name] for name in names) for row in ready]
    connection.exec_driver_sql(sql, parameters if len(rows) > 1 else parameters[0])


@lru_cache(maxsize=20)
def _prepared(dialect: Dialect) -> tuple[str, list[str] | None, dict[str, Any]]:
    """Return the statement, its parameters in order for drivers that count, and what is done to values before."""
    compiled = _INSERT.compile(dialect=dialect, column_keys=_NAMES)
    types = {name: Change.__table__.c[name].type for name in _NAMES}
    binds = {name: type_.dialect_impl(dialect).bind_processor(dialect) for name, type_ in types.items()}
    names = compiled.positiontup if compiled.positional else None
    return str(compiled), names, {name: bind for name, bind in binds.items() if bind is not None}


def _circumstances(session: Session) -> dict[str, Any]:
    """Return who is at work, when, and in which request."""
    who = identity()
    return {
        "at": now(),
        "actor_key": who.key,
        "actor_name": who.name[:LONGEST_NAME],
        "via": who.via or ("" if has_request_context() else "command"),
        "request_id": request_id(),
        # A change on the application's own behalf is the effect of another that was asked for.
        "is_effect": is_unchecked(),
        "undoes_id": session.info.get("undoes"),
    }
