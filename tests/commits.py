"""Commits that fail, and requests that meet at a gate. No pytest here."""

import sqlite3
import threading
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from services import db

_KILL = {"postgresql": "SELECT pg_terminate_backend({})", "mysql": "KILL CONNECTION {}"}


@contextmanager
def failing_commits(app: Flask) -> Iterator[None]:
    """Have each COMMIT fail: servers lose its connection at that moment, SQLite has no room."""
    with app.app_context():
        engine = db.engine
    admin = sa.create_engine(engine.url, poolclass=sa.NullPool)

    def fail(connection: sa.Connection) -> None:
        if engine.dialect.name == "sqlite":
            raise OperationalError(None, None, sqlite3.OperationalError("database or disk is full"))
        driver: Any = connection.connection.driver_connection
        number = driver.info.backend_pid if engine.dialect.name == "postgresql" else driver.thread_id()
        with admin.connect() as killer:
            killer.exec_driver_sql(_KILL[engine.dialect.name].format(number))

    event.listen(engine, "commit", fail)
    try:
        yield
    finally:
        event.remove(engine, "commit", fail)
        admin.dispose()


@contextmanager
def gate(app: Flask, statement: str, parties: int = 2) -> Iterator[None]:
    """Hold the first requests that send a statement until so many are there; SQLite lets one writer in anyway.

    :param statement: its beginning: ``UPDATE accounts_user``
    """
    with app.app_context():
        engine = db.engine
    barrier = threading.Barrier(parties)
    held = threading.local()

    def wait(connection: Any, cursor: Any, text: str, *rest: Any) -> None:
        if text.startswith(statement) and not getattr(held, "once", False):
            held.once = True
            barrier.wait(120)

    if engine.dialect.name == "sqlite":
        yield
        return
    event.listen(engine, "before_cursor_execute", wait)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", wait)


@contextmanager
def meeting(app: Flask, table: str, seconds: float = 3) -> Iterator[None]:
    """Hold the first request that has read a table until another has read it, or cannot: that one waits for a lock."""
    with app.app_context():
        engine = db.engine
    barrier = threading.Barrier(2)
    held = threading.local()

    def wait(connection: Any, cursor: Any, text: str, *rest: Any) -> None:
        if text.startswith("SELECT") and f"FROM {table}" in text and not getattr(held, "once", False):
            held.once = True
            with suppress(threading.BrokenBarrierError):
                barrier.wait(seconds)

    event.listen(engine, "after_cursor_execute", wait)
    try:
        yield
    finally:
        event.remove(engine, "after_cursor_execute", wait)


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Do several things at the same time, each in a thread of its own, and return what they gave."""
    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result(240) for future in [pool.submit(work) for work in works]]
