"""Assertions about one type of column: it goes there and back, is found, sorted, refused, and is in a form."""

import json
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import orm
from sqlalchemy.engine import URL
from werkzeug.datastructures import MultiDict

from core.forms import model_form
from services import db
from tests import tables

Bases = Mapping[str, Sequence[type[orm.DeclarativeBase]]]


@contextmanager
def opened(
    make_app: Callable[..., Flask], urls: dict[str, URL], databases: Any, bases: Bases, modules: list[str]
) -> Iterator[Callable[[str], FlaskClient]]:
    """Yield what returns a client of these modules on an engine; their tables are emptied after the test."""
    used = []

    def make(engine_name: str) -> FlaskClient:
        is_new = engine_name not in urls
        if is_new:
            urls[engine_name] = databases.make(engine_name)
            if engine_name == "postgresql":
                _add_types(urls[engine_name])
        app = make_app(urls[engine_name], modules)
        used.append((app, engine_name))
        with app.app_context():
            for base in bases[engine_name] if is_new else ():
                base.metadata.create_all(db.engine)
        return app.test_client()

    yield make
    for app, engine_name in used:
        with app.app_context(), db.engine.connect() as connection:
            for base in bases[engine_name]:
                tables.empty(connection, [table.name for table in reversed(base.metadata.sorted_tables)])
            connection.commit()


def _add_types(url: URL) -> None:
    # An engine learns of new types when it first connects.
    with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
        connection.execute(sa.text("CREATE EXTENSION hstore"))
        connection.execute(sa.text("CREATE EXTENSION citext"))


def assert_round_trip(client: FlaskClient, collection: str, name: str, value: Any) -> None:
    created = client.post(f"/column_types/{collection}", json={name: value})
    assert created.status_code == 201, created.json
    assert created.json[name] == value
    url = created.headers["Location"]
    read = client.get(url)
    assert read.json == created.json
    assert client.get(f"/column_types/{collection}").json["items"] == [read.json]
    # An unchanged item can be written back, and nothing changes.
    same = client.patch(url, json={name: value}, headers={"If-Match": read.headers["ETag"]})
    assert (same.status_code, same.headers["ETag"]) == (200, read.headers["ETag"])
    empty = client.patch(url, json={name: None}, headers={"If-Match": read.headers["ETag"]})
    assert empty.json[name] is None
    back = client.patch(url, json={name: value}, headers={"If-Match": empty.headers["ETag"]})
    assert client.get(url).json[name] == back.json[name] == value


def assert_found(client: FlaskClient, collection: str, name: str, value: Any) -> None:
    client.post(f"/column_types/{collection}", json={name: value})
    client.post(f"/column_types/{collection}", json={})
    found = client.get(f"/column_types/{collection}", query_string={name: str(value)})
    assert [item[name] for item in found.json["items"]] == [value], found.json


def assert_in_order(client: FlaskClient, collection: str, name: str, values: list[Any]) -> None:
    for value in [*reversed(values), None]:
        client.post(f"/column_types/{collection}", json={name: value})
    url, found = f"/column_types/{collection}?limit=1&sort={name}", []
    while url and len(found) < 10:
        page = client.get(url)
        assert page.status_code == 200, page.json
        found += [item[name] for item in page.json["items"]]
        url = page.json["links"].get("next", "")
    assert found == [*values, None]


def assert_refused(client: FlaskClient, collection: str, name: str, values: list[Any]) -> None:
    for value in values:
        answer = client.post(
            f"/column_types/{collection}", data=json.dumps({name: value}), content_type="application/json"
        )
        assert answer.status_code == 422, (value, answer.json)
    assert client.get(f"/column_types/{collection}").json["items"] == []


def assert_in_form(client: FlaskClient, collection: str, model: type[Any], name: str, value: Any) -> None:
    created = client.post(f"/column_types/{collection}", json={name: value})
    form = model_form(model, only=[name])
    with client.application.test_request_context():
        item = db.session.get_one(model, created.json["id"])
        control = form(formdata=None, obj=item)[name]
        shown = MultiDict({name: control._value() if hasattr(control, "_value") else value})
        read = form(formdata=shown, meta={"csrf": False})
        assert read.validate(), read.errors
        assert read.values(item) == {name: getattr(item, name)}
