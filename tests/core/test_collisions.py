"""Requests that write by hand, outside of the verbs: who loses a race, or a COMMIT, gets an answer of the contract."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask import after_this_request
from flask import request
from flask import session

from services import csrf
from services import db
from tests.commits import at_once
from tests.commits import failing_commits
from tests.commits import gate
from tests.core.warehouse import Maker
from tests.core.warehouse import Thing

FACES = ["", "/warehouse"]


def add() -> str:
    db.session.add(Maker(name=request.form["name"]))
    db.session.commit()
    return "added"


def rename() -> str:
    db.session.scalars(sa.select(Thing)).one().name = request.form["name"]
    db.session.commit()
    return "renamed"


def later() -> str:
    """Write what is committed when the answer is made, as some libraries do."""
    session["user"] = "ada"
    db.session.add(Maker(name=request.form["name"]))

    @after_this_request
    def commit(response: Any) -> Any:
        db.session.commit()
        return response

    return "added"


def copied(view: Callable[[], str]) -> Callable[[], str]:
    def api() -> str:
        return view()

    api.__name__ = f"{view.__name__}_api"
    return api


@pytest.fixture
def app_with_views(app: Flask) -> Flask:
    app.config["WTF_CSRF_ENABLED"] = False
    for view in (add, rename, later):
        for face in FACES:
            name = f"{view.__name__}{face.replace('/', '_')}"
            # A view exempt from the forms' check is an API.
            app.add_url_rule(
                f"{face}/by-hand/{view.__name__}", name, csrf.exempt(copied(view)) if face else view, methods=["POST"]
            )
    with app.app_context():
        db.session.add(Maker(id=1, name="Acme"))
        db.session.flush()
        db.session.add(Thing(name="pen", maker_id=1))
        db.session.commit()
    return app


def post(app: Flask, path: str, name: str = "Ajax") -> Any:
    return app.test_client().post(path, data={"name": name})


@pytest.mark.parametrize("face", FACES)
def test_same_row_twice_is_conflict(app_with_views: Flask, face: str) -> None:
    with gate(app_with_views, "INSERT INTO warehouse_maker"):
        answers = at_once(*[lambda: post(app_with_views, f"{face}/by-hand/add")] * 2)

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    (refused,) = [answer for answer in answers if answer.status_code == 409]
    assert "It collides with what is stored" in refused.text
    assert "Ajax" not in refused.text
    assert refused.mimetype == ("application/problem+json" if face else "text/html")


@pytest.mark.parametrize("face", FACES)
def test_lost_change_is_stale(app_with_views: Flask, engine_name: str, face: str) -> None:
    with gate(app_with_views, "UPDATE warehouse_thing"):
        works = [lambda name=name: post(app_with_views, f"{face}/by-hand/rename", name) for name in ("one", "two")]
        answers = at_once(*works)

    lost = 200 if engine_name == "sqlite" else 409
    assert sorted(answer.status_code for answer in answers) == [200, lost]


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("name", ["add", "later"])
def test_failed_commit_is_unavailable(
    app_with_views: Flask, face: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with failing_commits(app_with_views):
        answer = post(app_with_views, f"{face}/by-hand/{name}")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert "Set-Cookie" not in answer.headers
    assert "Traceback" not in caplog.text
    assert "X-Request-ID" in answer.headers
    assert post(app_with_views, f"{face}/by-hand/{name}").status_code == 200


def test_collision_after_view_is_conflict(app_with_views: Flask) -> None:
    answer = post(app_with_views, "/by-hand/later", "Acme")

    assert answer.status_code == 409
    assert "Set-Cookie" not in answer.headers
