"""Applications of a few modules: one of the tests' own, others written for one test."""

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import URL

from core.api.idempotency import idempotency_keys
from services import db
from tests import tables
from tests.core import warehouse
from tests.core.projects import project
from tests.proxies import Proxy
from tests.written_modules import write_module
from tests.written_modules import write_revision

__all__ = ["project", "write_module", "write_revision"]

# --- an application with the module of the tests ------------------------------------------------


@pytest.fixture(scope="session")
def database_urls(databases: Any) -> Iterator[dict[str, URL]]:
    """Keep the database of the tests' own module, one an engine."""
    urls: dict[str, URL] = {}
    yield urls
    for url in urls.values():
        databases.drop(url)


@pytest.fixture
def database_url(database_urls: dict[str, URL], databases: Any) -> Iterator[Callable[[str], URL]]:
    """Return the URL of the module's database on an engine; it is emptied after the test."""
    used = set()

    def url(engine_name: str) -> URL:
        if engine_name not in database_urls:
            database_urls[engine_name] = databases.make(engine_name)
            _execute(database_urls[engine_name], warehouse.Base.metadata.create_all)
            _execute(database_urls[engine_name], idempotency_keys.create)
        used.add(engine_name)
        return database_urls[engine_name]

    yield url
    for engine_name in used:
        _execute(database_urls[engine_name], _empty)


def _execute(url: URL, work: Callable[[sa.Connection], Any]) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        work(connection)
        connection.commit()


def _empty(connection: sa.Connection) -> None:
    found = (idempotency_keys, *reversed(warehouse.Base.metadata.sorted_tables))
    tables.empty(connection, [table.name for table in found])


@pytest.fixture
def app(make_app: Callable[..., Flask], database_url: Callable[[str], URL], engine_name: str) -> Flask:
    """Return an application of the tests' own module, on each engine."""
    return make_app(database_url(engine_name), ["app.bulk", warehouse.__name__])


@pytest.fixture
def sqlite_app(make_app: Callable[..., Flask], database_url: Callable[[str], URL]) -> Flask:
    """Return an application of the tests' own module on SQLite, where the engine does not matter."""
    return make_app(database_url("sqlite"), ["app.bulk", warehouse.__name__])


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Return a client of ``app``, with a maker in its database."""
    return _with_maker(app).test_client()


@pytest.fixture
def sqlite_client(sqlite_app: Flask) -> FlaskClient:
    """Return a client of ``sqlite_app``, with a maker in its database."""
    return _with_maker(sqlite_app).test_client()


def _with_maker(app: Flask) -> Flask:
    with app.app_context():
        db.session.add(warehouse.Maker(id=1, name="Acme"))
        db.session.commit()
    return app


@pytest.fixture
def make_proxied_app(
    make_app: Callable[..., Flask], database_url: Callable[[str], URL]
) -> Iterator[Callable[[str], tuple[Flask, Proxy]]]:
    """Put a proxy before the database: ``proxied("mariadb")`` gives an application, and what cuts it off."""
    proxies = []

    def make(engine_name: str) -> tuple[Flask, Proxy]:
        url = database_url(engine_name)
        proxies.append(Proxy((url.host or "127.0.0.1", url.port or 0)))
        return make_app(url.set(host="127.0.0.1", port=proxies[-1].port), ["app.bulk", warehouse.__name__]), proxies[-1]

    yield make
    for proxy in proxies:
        proxy.cut()
