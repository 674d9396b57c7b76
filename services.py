"""The objects that everything shares, and how they start: database, schemas, forms, logging.

They are made here and nowhere else, hold no application's state, and are tied to one by
:func:`init_app`. Nothing of ours is imported: whoever needs ``db`` can import it from anywhere.
"""

import logging
import logging.config
import os
import re
import secrets
import time
import weakref
from datetime import UTC
from datetime import datetime
from typing import TYPE_CHECKING
from typing import Any

from flask import Flask
from flask import Response
from flask import g
from flask import has_app_context
from flask import has_request_context
from flask import request
from flask_bootstrap import Bootstrap5
from flask_marshmallow import Marshmallow
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from pythonjsonlogger.json import JsonFormatter
from sqlalchemy import Engine
from sqlalchemy import MetaData
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import DeclarativeBase

#: Every constraint gets a name, so that every migration can drop it again on every engine.
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The declarative base of which ``db.Model`` is made."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


db = SQLAlchemy(model_class=Base)

if TYPE_CHECKING:

    class Model(Base):
        """``db.Model``, by a name that mypy accepts as a base class (python/mypy#8603)."""

        __abstract__ = True
else:
    Model = db.Model

ma = Marshmallow()
csrf = CSRFProtect()
bootstrap = Bootstrap5()


def init_app(app: Flask) -> None:
    """Start logging, then tie the shared objects to this application."""
    configure_logging(app.config["LOG_LEVEL"], app.config["LOG_FORMAT"])
    app.after_request(_answer_request_id)
    db.init_app(app)
    # Runs before Flask-SQLAlchemy's own, which then finds nothing to do.
    app.teardown_appcontext(_close_session)
    ma.init_app(app)
    # Flask-WTF itself takes no earlier secrets: a form that was open while they were changed would be refused.
    secrets = [*reversed(app.config["SECRET_KEY_FALLBACKS"] or ()), app.config["SECRET_KEY"]]
    app.config.setdefault("WTF_CSRF_SECRET_KEY", secrets)
    csrf.init_app(app)
    bootstrap.init_app(app)
    with app.app_context():
        for engine in db.engines.values():
            tune(engine)


def _close_session(error: BaseException | None) -> None:
    """End the request's session; that its connection died meanwhile changes nothing of the answer."""
    try:
        db.session.remove()
    except DBAPIError as lost:
        logging.getLogger(__name__).warning("a session could not be closed: %s", str(lost.orig).splitlines()[0])
        db.session.registry.clear()


# --- the database -------------------------------------------------------------------------------

#: A connection that rested longer than this many seconds is tried before use. Under load none
#: rests so long, and the round trip is saved; HikariCP does the same (aliveBypassWindowMs).
PING_AFTER_SECONDS = 1.0

_engines: "weakref.WeakSet[Engine]" = weakref.WeakSet()


def tune(engine: Engine, *, foreign_keys: bool = True) -> None:
    """Set what each new connection of this engine needs to be safe.

    :param foreign_keys: off only while SQLite's tables are rebuilt by a migration
    """
    if engine.dialect.name == "sqlite":
        _tune_sqlite(engine, foreign_keys)
    else:
        _tune_server(engine)


def _tune_server(engine: Engine) -> None:
    _ping_before_use(engine)
    _engines.add(engine)
    # Who waits for a lock waits no longer than who waits for a connection; without a pool, 5 seconds.
    seconds = int(engine.pool.timeout()) if hasattr(engine.pool, "timeout") else 5
    if engine.dialect.name == "postgresql":
        statement = f"SET timezone = 'UTC'; SET lock_timeout = '{seconds}s'"
    else:
        statement = f"SET time_zone = '+00:00', innodb_lock_wait_timeout = {seconds}"

    @event.listens_for(engine, "connect")
    def set_session(connection: Any, record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(statement)
        cursor.close()
        connection.commit()


def _tune_sqlite(engine: Engine, foreign_keys: bool) -> None:
    """Make SQLite's transactions real ones.

    Python's driver sends no BEGIN before a SELECT, so that a read and the write that follows from
    it are not one transaction: with its defaults four processes lost 105 of 600 updates without
    an error. What writes begins IMMEDIATE and waits its turn. A request that only reads begins
    DEFERRED, and does not wait for a writer; it must not write (a write after somebody else's
    commit would fail at once).
    """
    pragmas = (
        "journal_mode = WAL",
        "synchronous = NORMAL",
        f"foreign_keys = {'ON' if foreign_keys else 'OFF'}",
    )

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, record: Any) -> None:
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        connection.create_function("lower_unicode", 1, _lower, deterministic=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        reads = has_request_context() and request.method in ("GET", "HEAD", "OPTIONS")
        connection.exec_driver_sql("BEGIN DEFERRED" if reads else "BEGIN IMMEDIATE")


def _lower(text: Any) -> Any:
    """Lower a text letter by letter, as servers do; SQLite's own ``lower`` knows those of ASCII only."""
    if not isinstance(text, str):
        return text
    return text.lower() if text.isascii() else "".join(map(str.lower, text))


def _ping_before_use(engine: Engine) -> None:
    @event.listens_for(engine, "checkin")
    def rest(connection: Any, record: Any) -> None:
        record.info["rests_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ping(connection: Any, record: Any, proxy: Any) -> None:
        since = record.info.get("rests_since")
        if since is None or time.monotonic() - since < PING_AFTER_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error


def _forget_connections() -> None:
    """Leave the parent's connections to the parent.

    Two processes on one connection read each other's answers: 594 of 1,842 requests failed under
    ``gunicorn --preload`` without this.
    """
    for engine in list(_engines):
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_forget_connections)


# --- the request's id ---------------------------------------------------------------------------

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{8,64}")


def request_id() -> str | None:
    """Return the id of the request that is being answered; ``None`` outside of one.

    It is the caller's ``X-Request-ID`` if that is 8 to 64 letters, digits, ``.``, ``_``, ``:``
    or ``-``, else a random one.
    """
    if not has_request_context():
        return None
    known: str | None = g.get("request_id")
    if known is None:
        sent = request.headers.get("X-Request-ID", "")
        known = g.request_id = sent if _REQUEST_ID.fullmatch(sent) else secrets.token_hex(8)
    return known


def _answer_request_id(response: Response) -> Response:
    response.headers["X-Request-ID"] = request_id() or ""
    return response


# --- logging ------------------------------------------------------------------------------------

#: Names of what must not appear in a log. What precedes one (``X-Api-Key``, ``csrf_token``) is not
#: matched: an unbounded prefix made 7,000 letters of a visitor's path hold the process for minutes.
_NAMES = r"(?:password|passwd|secret|token|api[_-]?key|session|authorization|cookie)[\w-]{0,30}"

#: ``password=…``, ``"token": "…"``, ``Authorization: Bearer …``, ``postgresql://user:password@host``, and a
#: personal access token wherever it stands: somebody has put it into an address.
#: The name or the scheme stays, so that the line stays useful.
_SECRETS = re.compile(
    rf"""(?ix)
    (?P<name> {_NAMES} \\?["']? \s{{0,3}} [=:] \s{{0,3}} (?:(?:basic|bearer|token|digest)\s{{1,3}})? )
    (?: "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | \\?["']? [^\s"'&,;\\()\[\]{{}}]+ )
    | (?<=://) (?P<user> [^/\s:@]*): [^/\s]+ (?=@)
    | (?P<kind> andamio_pat_) \w{{1,200}}
    """
)
_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)

#: The colours of werkzeug's lines.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def redact(text: str) -> str:
    """Replace what looks like a secret with ``[filtered]``."""
    return _SECRETS.sub(lambda found: f"{found['name'] or found['kind'] or found['user'] + ':'}[filtered]", text)


def is_secret_name(name: str) -> bool:
    """Return whether what has this name must not appear in a log."""
    return _SECRET_NAME.search(name) is not None


def _redacted(value: Any, name: str = "") -> Any:
    """Redact the strings in what becomes JSON, and whatever has a secret's name."""
    if is_secret_name(name):
        return "[filtered]"
    if isinstance(value, str):
        return redact(_COLOURS.sub("", value))
    if isinstance(value, dict):
        return {key: _redacted(one, str(key)) for key, one in value.items()}
    return [_redacted(one) for one in value] if isinstance(value, list | tuple) else value


def _clean(text: str) -> str:
    """Redact, and escape what would end the line or steer the terminal: a visitor chooses the path that is logged."""
    text = redact(_COLOURS.sub("", text))
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


class _Timed(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        # In UTC and with the zone, so that the lines of several machines can be put in order.
        return f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03}Z"


class TextFormatter(_Timed):
    """A line for a terminal, its secrets removed; the lines of a traceback follow, indented."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        # The development server's banner has several lines; what visitors sent it escapes itself.
        return "\n".join(map(_clean, line.split("\n") if record.name == "werkzeug" else [line]))

    def formatException(self, ei: Any) -> str:
        return "\n".join(f"  {_clean(line)}" for line in super().formatException(ei).split("\n"))


class JSONFormatter(_Timed, JsonFormatter):
    """One JSON object per line, its secrets removed."""

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Redact before it is JSON: after, a number or an object in a secret's place would break it."""
        return {key: _redacted(value, key) for key, value in super().process_log_record(log_data).items()}


class AddRequestId(logging.Filter):
    """Gives a line the id of the request that is being answered, unless it says one."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "request_id"):
            record.request_id = (request_id() if has_app_context() else None) or "-"
        return True


def line_formatter(style: str) -> logging.Formatter:
    """Return what makes a line of a record that has passed :class:`AddRequestId`.

    :param style: ``text`` or ``json``
    """
    if style == "text":
        return TextFormatter("%(asctime)s %(levelname)-7s [%(request_id)s] %(name)s: %(message)s")
    return JSONFormatter(
        "{asctime}{levelname}{name}{message}{request_id}",
        style="{",
        rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
    )


def configure_logging(level: str, style: str) -> None:
    """Send all logs to standard error, each line with the request's id.

    :param style: ``text`` or ``json``
    """
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"()": line_formatter, "style": style}},
            "filters": {"request_id": {"()": AddRequestId}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]}},
            "root": {"level": level, "handlers": ["stderr"]},
            # Seven lines each time that say nothing about this database.
            "loggers": {"alembic.runtime.plugins": {"level": "WARNING"}},
        }
    )
