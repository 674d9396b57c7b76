"""SQL by hand: one spelling on three engines, transactions that end, and patience with a lost connection."""

import logging
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import OperationalError

from core.data import cursors
from core.data import placeholders
from services import db
from tests.core import warehouse

INSERT = "INSERT INTO warehouse_maker (id, name) VALUES (:id, :name)"


@pytest.fixture
def app_in_context(app: Flask) -> Iterator[Flask]:
    """The application of the tests, in its context, on each engine."""
    with app.app_context():
        yield app
        db.session.rollback()


def names() -> list[str]:
    return [row["name"] for row in cursors.read("SELECT name FROM warehouse_maker ORDER BY id")]


def add(number: int, name: str = "x") -> None:
    with cursors.transaction() as cursor:
        cursor.execute(INSERT, {"id": number, "name": f"{name}{number}"})


def test_unnamed_rows_are_tuples(app_in_context: Flask) -> None:
    add(7)

    found = cursors.read_tuples("SELECT name, id FROM warehouse_maker WHERE id = :id", {"id": 7})

    assert list(map(tuple, found)) == [("x7", 7)]


# --- parameters ---------------------------------------------------------------------------------

#: Statements as psycopg and PyMySQL write them, and the parameters.
SPELLINGS = [
    ("SELECT :a, :b_2, :a", "SELECT %(a)s, %(b_2)s, %(a)s", {"a", "b_2"}),
    ("SELECT ':a', :a", "SELECT ':a', %(a)s", {"a"}),
    ("SELECT 'it''s :a'", "SELECT 'it''s :a'", set()),
    ('SELECT ":a", `:a`', 'SELECT ":a", `:a`', set()),
    ("SELECT 1 -- :a, don't\n, :b", "SELECT 1 -- :a, don't\n, %(b)s", {"b"}),
    ("SELECT /* :a '\n */ :b", "SELECT /* :a '\n */ %(b)s", {"b"}),
    ("SELECT '1'::text, x::int, :a::int", "SELECT '1'::text, x::int, %(a)s::int", {"a"}),
    ("SELECT 10 % :a, '5%'", "SELECT 10 %% %(a)s, '5%%'", {"a"}),
    ("SELECT a[1:2], '12:30', @x := 1", "SELECT a[1:2], '12:30', @x := 1", set()),
    ("LIKE '%:a%' -- 100 %", "LIKE '%%:a%%' -- 100 %%", set()),
]


@pytest.mark.parametrize(("sql", "written", "names"), SPELLINGS)
def test_parameters_in_driver_style(sql: str, written: str, names: set[str]) -> None:
    assert placeholders.translate(sql, named=False) == (written, names)
    assert placeholders.translate(sql, named=True) == (sql, names)


@pytest.mark.parametrize(
    "sql", [r"SELECT '\' :a'", "SELECT 'open", 'SELECT "open', "SELECT $$:a$$", "SELECT $x$:a$x$", "/* open", r"E'\n'"]
)
@pytest.mark.parametrize("named", [True, False])
def test_ambiguous_text_refused(sql: str, named: bool) -> None:
    with pytest.raises(ValueError, match="Give texts as parameters"):
        placeholders.translate(sql, named=named)


def test_same_statement_runs_on_each_engine(app_in_context: Flask) -> None:
    sql = "SELECT 7 % :n AS rest, ':n %%' AS text, :text AS given -- :none 'of %\n WHERE 'a%' LIKE 'a%'"
    # PostgreSQL does not guess the type of a parameter that is only given back.
    sql = sql.replace(":text AS", "CAST(:text AS CHAR(20)) AS")
    (row,) = cursors.read(sql, {"n": 4, "text": "it's :n %(n)s \\ \" %"})
    assert (row["rest"], row["text"], row["given"].rstrip()) == (3, ":n %%", "it's :n %(n)s \\ \" %")


@pytest.mark.parametrize("value", ["'; DROP TABLE warehouse_maker; --", "%s %(id)s", ":id", "\\", "\\'", "😀", ""])
def test_values_are_bound(app_in_context: Flask, value: str) -> None:
    with cursors.transaction() as cursor:
        cursor.execute(INSERT, {"id": 1, "name": value})
    assert cursors.read("SELECT id FROM warehouse_maker WHERE name = :name", {"name": value}) == [{"id": 1}]
    assert names() == [value]


def test_value_that_is_missing_is_named(app_in_context: Flask) -> None:
    with pytest.raises(TypeError, match=r"needs a value for id, name: INSERT"):
        add_nothing()
    with pytest.raises(TypeError, match=r"needs a value for a: SELECT"):
        cursors.read("SELECT :a")


def add_nothing() -> None:
    with cursors.transaction() as cursor:
        cursor.execute(INSERT)


def test_unused_values_ignored(app_in_context: Flask) -> None:
    assert cursors.read("SELECT 1 AS one WHERE 1 = :a", {"a": 1, "b": 2}) == [{"one": 1}]


# --- transactions -------------------------------------------------------------------------------


def test_block_commits_at_end(app_in_context: Flask) -> None:
    with cursors.transaction() as cursor:
        assert cursor.execute(INSERT, {"id": 1, "name": "a"}).rowcount == 1
        many = [{"id": number, "name": f"n{number}"} for number in range(2, 5)]
        assert cursor.executemany(INSERT, many).rowcount == 3
        cursor.executemany(INSERT, [])
        assert cursor.execute("SELECT COUNT(*) FROM warehouse_maker").scalar() == 4
        assert cursor.execute("SELECT id FROM warehouse_maker WHERE id > :id", {"id": 9}).scalar() is None
        assert cursor.execute("SELECT id, name FROM warehouse_maker WHERE id < 3 ORDER BY id").rows() == [
            {"id": 1, "name": "a"},
            {"id": 2, "name": "n2"},
        ]
        assert names() == []
    assert names() == ["a", "n2", "n3", "n4"]


def test_single_statement_is_transaction(app_in_context: Flask) -> None:
    for number in range(1, 4):
        assert cursors.write(INSERT, {"id": number, "name": f"a{number}"}) == 1
    assert cursors.write("UPDATE warehouse_maker SET name = :name WHERE id = :id", {"id": 3, "name": "b"}) == 1
    assert cursors.write("DELETE FROM warehouse_maker WHERE id < 3") == 2
    assert cursors.write("DELETE FROM warehouse_maker WHERE id > 9") == 0
    # Another connection sees it.
    with sa.create_engine(db.engine.url, poolclass=sa.NullPool).connect() as connection:
        found = connection.execute(sa.text("SELECT name FROM warehouse_maker ORDER BY id"))
        assert list(found.scalars()) == ["b"]


def test_failed_statement_keeps_connection(app_in_context: Flask) -> None:
    add(1)
    before = driver_connection()
    for _ in range(20):
        with pytest.raises(IntegrityError, match="INSERT INTO warehouse_maker"):
            cursors.write(INSERT, {"id": 1, "name": "b"})
    assert driver_connection() is before
    # It begins transactions again.
    with pytest.raises(IntegrityError):
        add_both({"id": 2, "name": "c"}, {"id": 1, "name": "d"})
    assert names() == ["x1"]


def driver_connection() -> Any:
    with db.engine.connect() as connection:
        return connection.connection.driver_connection


class Stop(Exception):
    """Raised by the tests."""


@pytest.mark.parametrize("error", [Stop, KeyboardInterrupt])
def test_error_takes_back_what_ran(app_in_context: Flask, error: type[BaseException]) -> None:
    def work() -> None:
        with cursors.transaction() as cursor:
            cursor.execute(INSERT, {"id": 1, "name": "a"})
            raise error

    for _ in range(20):
        with pytest.raises(error):
            work()
    assert names() == []
    add(1)


def test_fault_of_a_statement_is_sqlalchemys(app_in_context: Flask) -> None:
    for _ in range(20):
        with pytest.raises(DBAPIError) as caught:
            cursors.read_rows(db.engine, "SELECT nothing FROM nowhere", ())
        assert caught.value.statement == "SELECT nothing FROM nowhere"
        assert not caught.value.connection_invalidated
        with pytest.raises(DBAPIError, match="nowhere"):
            cursors.read("SELECT nothing FROM nowhere")
    assert names() == []


def add_both(first: dict[str, Any], second: dict[str, Any]) -> None:
    with cursors.transaction() as cursor:
        cursor.execute(INSERT, first)
        cursor.execute(INSERT, second)


def test_integrity_error_is_sqlalchemys(app_in_context: Flask) -> None:
    add(1)
    for _ in range(20):
        with pytest.raises(IntegrityError) as caught:
            add_both({"id": 2, "name": "b"}, {"id": 1, "name": "c"})
        assert "INSERT INTO warehouse_maker" in str(caught.value.statement)
    assert names() == ["x1"]


def test_connections_go_back_to_the_pool(
    make_app: Callable[..., Flask], database_url: Callable[[str], URL], engine_name: str
) -> None:
    options = {} if engine_name == "sqlite" else {"pool_size": 1, "max_overflow": 0, "pool_timeout": 1}
    app = make_app(database_url(engine_name), [warehouse.__name__], SQLALCHEMY_ENGINE_OPTIONS=options)
    with app.app_context():
        for number in range(1, 6):
            add(number)
            with pytest.raises(DBAPIError):
                cursors.read("SELECT nothing FROM nowhere")
            with pytest.raises(IntegrityError):
                add(number)
        with db.engine.connect() as connection:
            assert connection.scalar(sa.text("SELECT COUNT(*) FROM warehouse_maker")) == 5


def test_writers_wait_for_one_another(app_in_context: Flask) -> None:
    """A read and the write that follows from it are one transaction; on SQLite from its beginning."""
    add(1)
    with cursors.transaction() as cursor:
        cursor.execute("UPDATE warehouse_maker SET name = 'x0'")
    lock = "" if db.engine.dialect.name == "sqlite" else " FOR UPDATE"

    def count() -> None:
        with app_in_context.app_context():
            for _ in range(10):
                with cursors.transaction() as cursor:
                    name = cursor.execute(f"SELECT name FROM warehouse_maker WHERE id = 1{lock}").scalar()
                    number = int(name[1:]) + 1
                    cursor.execute("UPDATE warehouse_maker SET name = :name WHERE id = 1", {"name": f"x{number}"})

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names() == ["x40"]


def test_nothing_is_hidden_from_a_listener(app_in_context: Flask) -> None:
    heard: list[str] = []

    def hear(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        heard.append(statement.split()[0])

    add(1)
    event.listen(db.engine, "before_cursor_execute", hear)
    try:
        add(2)
        with cursors.transaction() as cursor:
            rows = [{"id": number, "name": f"n{number}"} for number in (3, 4)]
            assert cursor.executemany(INSERT, rows).rowcount == 2
            assert cursor.execute("SELECT COUNT(*) AS n FROM warehouse_maker").rows() == [{"n": 4}]
            assert cursor.execute("UPDATE warehouse_maker SET name = 'z' WHERE id = :id", {"id": 4}).rowcount == 1
        with pytest.raises(IntegrityError):
            add(1)
        assert cursors.write("UPDATE warehouse_maker SET name = 'y' WHERE id = 4") == 1
        assert names() == ["x1", "x2", "n3", "y"]
    finally:
        event.remove(db.engine, "before_cursor_execute", hear)
    heard = [word for word in heard if word not in ("BEGIN", "COMMIT")]
    assert heard == ["INSERT", "INSERT", "SELECT", "UPDATE", "INSERT", "UPDATE", "SELECT"]


# --- a database that goes -----------------------------------------------------------------------


SERVERS = pytest.mark.parametrize("engine_name", ["postgresql", "mariadb"])


@SERVERS
def test_lost_connection_is_not_noticed(make_proxied_app: Any, engine_name: str) -> None:
    app, proxy = make_proxied_app(engine_name)
    with app.app_context():
        for number in range(1, 4):
            add(number)
            proxy.cut()
            proxy.restore()
            assert len(names()) == number
            proxy.cut()
            proxy.restore()
            cursors.retried(partial(add, number + 10))
            cursors.read("SELECT 1")
            proxy.cut()
            proxy.restore()
            assert cursors.retried(partial(cursors.write, "DELETE FROM warehouse_maker WHERE id >= 10")) == 1


@SERVERS
def test_short_outage_waited_for(make_proxied_app: Any, engine_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app, proxy = make_proxied_app(engine_name)
    with app.app_context():
        add(1)
        proxy.cut()
        pauses: list[float] = []

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 2:
                proxy.restore()

        monkeypatch.setattr(cursors, "time", SimpleNamespace(sleep=pause, monotonic=lambda: 0.0))
        assert names() == ["x1"]
        assert pauses == list(cursors.PAUSES_SECONDS[:2])


@SERVERS
def test_long_outage_given_up(make_proxied_app: Any, engine_name: str) -> None:
    app, proxy = make_proxied_app(engine_name)
    with app.app_context():
        add(1)
        proxy.cut()
        for work in (names, lambda: cursors.retried(lambda: add(2))):
            started = time.monotonic()
            with pytest.raises(OperationalError):
                work()
            assert sum(cursors.PAUSES_SECONDS) <= time.monotonic() - started
        proxy.restore()
        assert names() == ["x1"]


@SERVERS
def test_lost_connection_rolls_back(make_proxied_app: Any, engine_name: str) -> None:
    app, proxy = make_proxied_app(engine_name)
    attempts = []

    def work() -> None:
        with cursors.transaction() as cursor:
            cursor.execute(INSERT, {"id": len(attempts) + 1, "name": "a"})
            attempts.append(1)
            if len(attempts) == 1:
                proxy.cut()
                proxy.restore()
            cursor.execute("SELECT 1").scalar()

    with app.app_context():
        cursors.retried(work)
        assert cursors.read("SELECT id FROM warehouse_maker") == [{"id": 2}]
    assert len(attempts) == 2


@SERVERS
def test_connection_lost_between_rows_replaced(make_proxied_app: Any, engine_name: str) -> None:
    app, proxy = make_proxied_app(engine_name)
    attempts = []

    class Cutting(dict[str, Any]):
        """Takes the database away while the driver reads the values."""

        def __getitem__(self, name: str) -> Any:
            if len(attempts) == 1:
                attempts.append(1)
                proxy.cut()
                proxy.restore()
            return super().__getitem__(name)

        def items(self) -> Any:
            return [(name, self[name]) for name in self]

    def work() -> None:
        attempts.append(1)
        with cursors.transaction() as cursor:
            rows = [{"id": number, "name": f"n{number}"} for number in range(1, 200)]
            cursor.executemany(INSERT, [*rows, Cutting(id=200, name="z")])

    with app.app_context():
        cursors.retried(work)
        assert len(names()) == 200
    # Where the machine is slow, the lock may time out as well.
    assert len(attempts) >= 3


def test_connection_without_rollback_discarded(
    make_app: Callable[..., Flask], database_url: Callable[[str], URL]
) -> None:
    """As psycopg leaves it when the server goes within a pipeline: it is not closed, and of no more use."""
    attempts = []

    def work() -> None:
        attempts.append(1)
        with cursors.transaction() as cursor:
            cursor.execute(INSERT, {"id": len(attempts), "name": "a"})
            if len(attempts) == 1:
                connection = cursor._raw.connection.pgconn
                connection.enter_pipeline_mode()
                connection.send_query_params(b"SELECT 1", [])
                connection.exit_pipeline_mode()

    with make_app(database_url("postgresql"), [warehouse.__name__]).app_context():
        cursors.retried(work)
        assert cursors.read("SELECT id FROM warehouse_maker") == [{"id": 2}]


def test_own_fault_not_retried(app_in_context: Flask) -> None:
    attempts = []

    def work() -> None:
        attempts.append(1)
        cursors.read("SELECT nothing FROM nowhere")

    with pytest.raises(DBAPIError):
        cursors.retried(work)
    assert len(attempts) == 1


def test_time_limit_ends_the_attempts(app_in_context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursors, "RETRY_SECONDS", 0.05)
    attempts = []

    def work() -> None:
        attempts.append(1)
        raise OperationalError(None, None, Stop())

    with pytest.raises(OperationalError):
        cursors.retried(work)
    assert len(attempts) == 2


@SERVERS
def test_broken_deadlock_is_tried_again(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    # On a busy machine it takes longer to see the deadlock than we would wait.
    monkeypatch.setattr(cursors, "RETRY_SECONDS", 60)
    with app.app_context():
        add(1)
        add(2)
    gate = threading.Barrier(2)
    attempts: list[int] = []

    def cross(first: int, second: int) -> None:
        with cursors.transaction() as cursor:
            attempts.append(first)
            for number, key in enumerate((first, second)):
                cursor.execute(
                    "UPDATE warehouse_maker SET name = :name WHERE id = :id", {"name": f"{first}{key}", "id": key}
                )
                if number == 0 and len(attempts) <= 2:
                    gate.wait()

    def run(first: int, second: int) -> None:
        with app.app_context():
            cursors.retried(lambda: cross(first, second))

    threads = [threading.Thread(target=run, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Where the machine is slow, the lock may time out as well.
    assert len(attempts) >= 3


def test_values_hidden_as_by_engine(
    make_app: Callable[..., Flask],
    database_url: Callable[[str], URL],
    engine_name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = make_app(database_url(engine_name), [warehouse.__name__], SQLALCHEMY_ENGINE_OPTIONS={"hide_parameters": True})
    with app.app_context(), caplog.at_level(logging.DEBUG):
        add(1, "private")
        with pytest.raises(IntegrityError) as caught:
            add(1, "private")
    assert "[parameters" not in str(caught.value)
