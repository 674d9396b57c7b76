"""Execution of statements, by the ORM or by hand: counted and timed for its request, and marked where configured.

A clock reading before and one after cost 1 µs. No listener of the engine is needed for it, so that
:mod:`core.data.cursors` keeps its short way.
"""

from collections.abc import Callable
from contextvars import ContextVar
from contextvars import Token
from time import perf_counter
from typing import Any
from urllib.parse import quote

from flask import Flask
from flask import request
from sqlalchemy import Engine
from sqlalchemy import event

from services import db

from ..logs import request_id


class Spent:
    """Costs of the statements of one request so far."""

    __slots__ = ("seconds", "statements")

    def __init__(self) -> None:
        self.statements = 0
        self.seconds = 0.0


_spent: ContextVar[Spent | None] = ContextVar("spent", default=None)


def init_app(app: Flask) -> None:
    """Let the statements of this application's engines be run here."""
    with app.app_context():
        for engine in db.engines.values():
            engine.update_execution_options(comments=app.config.get("DATABASE_COMMENTS", "none"))
            _listen(engine)


def begin() -> tuple[Spent, Token[Spent | None]]:
    """Start to count; what is counted, and what :func:`end` wants."""
    spent = Spent()
    return spent, _spent.set(spent)


def end(token: Token[Spent | None]) -> None:
    """Stop counting."""
    _spent.reset(token)


def execute(engine: Engine, cursor: Any, sql: str, parameters: Any) -> None:
    """Run a statement on a driver's cursor."""
    _run(cursor.execute, _marked(engine, sql), parameters)


def execute_many(cursor: Any, sql: str, rows: Any) -> None:
    """Run a statement once for each of several rows; unmarked, as PyMySQL knows what it can send at once by its end."""
    _run(cursor.executemany, sql, rows)


def _listen(engine: Engine) -> None:
    dialect = engine.dialect

    # Events of the dialect: those of the engine would lead the statements by hand through SQLAlchemy.
    @event.listens_for(engine, "do_execute")
    def do_execute(cursor: Any, sql: str, parameters: Any, context: Any) -> bool:
        _run(dialect.do_execute, cursor, _marked(engine, sql), parameters, context)
        return True

    @event.listens_for(engine, "do_executemany")
    def do_executemany(cursor: Any, sql: str, rows: Any, context: Any) -> bool:
        _run(dialect.do_executemany, cursor, sql, rows, context)
        return True


def _run(call: Callable[..., Any], *arguments: Any) -> None:
    spent = _spent.get()
    if spent is None:
        call(*arguments)
        return
    started = perf_counter()
    try:
        call(*arguments)
    finally:
        spent.seconds += perf_counter() - started
        spent.statements += 1


# --- the comment --------------------------------------------------------------------------------


def _marked(engine: Engine, sql: str) -> str:
    kind = engine.get_execution_options().get("comments", "none")
    if kind == "none" or not request:
        return sql
    said = {"route": request.endpoint or ""}
    if kind == "request":
        said["request_id"] = request_id() or ""
    return f"{sql} {comment(said, escapes_percent=engine.dialect.paramstyle in ('format', 'pyformat'))}"


def comment(said: dict[str, str], *, escapes_percent: bool) -> str:
    """Write a comment for a statement as sqlcommenter does: ``/*request_id='…',route='…'*/``.

    The caller chooses the request's id. Percent-encoded, no value can end the text or the comment.

    :param escapes_percent: whether the driver reads ``%`` in a statement as a parameter's beginning
    """
    pairs = [f"{name}='{quote(value, safe=':')}'" for name, value in sorted(said.items()) if value]
    text = f"/*{','.join(pairs)}*/"
    return text.replace("%", "%%") if escapes_percent else text
