"""Statements are counted, timed and marked, by the ORM and by hand."""

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import URL

from core.data import cursors
from core.data import execution
from services import db


def app_with(make_app, url: URL, comments: str) -> Flask:
    app: Flask = make_app(url, [], DATABASE_COMMENTS=comments)

    @app.get("/each/way")
    def each_way() -> str:
        db.session.execute(sa.text("SELECT 5 % 3 WHERE 'a%b' LIKE :like"), {"like": "a%"})
        cursors.read("SELECT 5 % 3 AS rest")
        with cursors.transaction() as cursor:
            cursor.execute("SELECT :one", {"one": "100 %"})
        return "done"

    return app


def listen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the statements as they reach the driver."""
    said: list[str] = []
    run = execution._run

    def keep(call, *arguments):
        said.append(next(one for one in arguments if isinstance(one, str)))
        run(call, *arguments)

    monkeypatch.setattr(execution, "_run", keep)
    return said


@pytest.mark.parametrize("comments", ["none", "route", "request"])
def test_statements_say_what_they_are_for(make_app, new_database, engine_name, monkeypatch, comments) -> None:
    app = app_with(make_app, new_database(engine_name), comments)
    # A new connection of MariaDB asks what it is talking to.
    app.test_client().get("/each/way")
    said = listen(monkeypatch)
    answer = app.test_client().get("/each/way", headers={"X-Request-ID": "request:0001"})

    assert answer.text == "done"
    ends = {"none": "", "route": " /*route='each_way'*/", "request": " /*request_id='request:0001',route='each_way'*/"}
    selects = [sql for sql in said if sql.startswith("SELECT")]
    assert len(selects) == 3
    assert [sql.partition(" /*")[1] + sql.partition(" /*")[2] for sql in selects] == [ends[comments]] * 3


@pytest.mark.parametrize("value", ["*/ DROP TABLE x; --", "a'b", "50%", "täglich", "/* */", "\\'", "?:x%(y)s"])
def test_no_value_ends_its_comment(make_app, value: str) -> None:
    text = execution.comment({"route": value, "request_id": "12345678"}, escapes_percent=False)

    assert (text.count("*/"), text.count("/*"), text.count("'")) == (1, 1, 4)
    assert text.isascii()
    with make_app().app_context(), db.engine.connect() as connection:
        assert connection.exec_driver_sql(f"SELECT 7 {text}").scalar() == 7
    doubled = execution.comment({"route": value}, escapes_percent=True)
    assert doubled.replace("%%", "").count("%") == 0


def test_statements_counted_per_request(make_app, new_database, engine_name) -> None:
    app = app_with(make_app, new_database(engine_name), "none")
    with app.test_request_context("/each/way"):
        app.view_functions["each_way"]()
        spent, token = execution.begin()
        app.view_functions["each_way"]()
        execution.end(token)
        counted = spent.statements
        app.view_functions["each_way"]()

    # SQLite's BEGIN is one as well.
    assert counted in (3, 4, 5)
    assert spent.statements == counted
    assert 0 < spent.seconds < 5


def test_a_statement_that_fails_counts(make_app) -> None:
    with make_app().app_context():
        spent, token = execution.begin()
        with pytest.raises(sa.exc.DBAPIError):
            cursors.read("SELECT * FROM nowhere")
        execution.end(token)

    assert spent.statements == 1


def test_executemany_rows_counted(make_app, new_database, engine_name) -> None:
    with app_with(make_app, new_database(engine_name), "request").test_request_context("/each/way"):
        db.session.execute(sa.text("CREATE TABLE many (number INTEGER)"))
        result = db.session.execute(sa.text("INSERT INTO many VALUES (:n)"), [{"n": 1}, {"n": 2}])
        assert result.rowcount == 2
        db.session.commit()
        with cursors.transaction() as cursor:
            assert cursor.executemany("INSERT INTO many VALUES (:n)", [{"n": 3}, {"n": 4}]).rowcount == 2
