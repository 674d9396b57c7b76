"""Real servers to hurt: a database that is written to disk, gunicorn with two workers, nginx before it."""

import logging
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import URL
from sqlalchemy import Engine
from sqlalchemy.pool import NullPool

import config as deployment
from app.api.models import Country
from core import migrations
from core.factory import create_app
from services import db
from tests import servers
from tests import tokens
from tests.conftest import SECRET_KEY
from tests.conftest import require
from tests.nginx import NginxSite

from .loads import Connect
from .loads import Load
from .loads import by_https

#: Gunicorn's, as a deployment has them.
WORKERS = "--workers 2 --threads 4 --graceful-timeout 5"


@dataclass
class Site:
    """A site that runs, and its database that can be hurt.

    :param engine: asks the database behind the site's back
    """

    front: NginxSite
    database: servers.PrivateServer
    engine: Engine
    token: str

    def connect(self) -> Connect:
        return by_https(self.front.https, self.front.certificate)

    def load(self, threads: int = 6) -> Load:
        return Load(self.connect(), tokens.authorization(self.token), threads)

    def names(self) -> list[str]:
        """Return the name of each city that there is, once for each row."""
        with self.engine.connect() as connection:
            return list(connection.scalars(sa.text("SELECT name FROM api_city")))

    def populations(self) -> dict[str, int]:
        with self.engine.connect() as connection:
            rows = connection.execute(sa.text("SELECT name, population FROM api_city"))
            return {row.name: row.population for row in rows}


@pytest.fixture
def sender() -> None:
    """Let the requests of a load be whose token they send."""


@pytest.fixture(scope="module")
def start_durable() -> Iterator[Callable[[str], servers.PrivateServer]]:
    """Start private databases that keep what they have acknowledged: ``start_durable("postgresql")``."""
    running = []

    def start(engine_name: str) -> servers.PrivateServer:
        try:
            running.append(servers.start_durable(engine_name))
        except servers.Missing as missing:
            require(None, str(missing))
        return running[-1]

    yield start
    for server in running:
        server.stop()


@contextmanager
def quiet() -> Iterator[None]:
    """Leave pytest's handlers of logs where they are: an application takes them away."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def prepare(url: URL) -> str:
    """Bring a database to head, give it a country, and return a user's token."""
    with quiet():
        migrations.upgrade(url)
        app = create_app(deployment.load(environ(url)))
        with app.app_context():
            try:
                token = tokens.issue(app)
                add_country(app)
            finally:
                db.engine.dispose()
    return token


def add_country(app: Flask) -> None:
    """Add the country that the cities of a load are in."""
    with app.app_context():
        db.session.add(Country(code="ES", iso3="ESP", name="Spain", continent="EU", population=0, area_km2=0))
        db.session.commit()


def environ(url: URL, **more: str) -> dict[str, str]:
    """Return the variables of a site on this database."""
    address = url.render_as_string(hide_password=False)
    return {
        **{"APP_ENV": "testing", "SECRET_KEY": SECRET_KEY, "DATABASE_URL": address, "RATE_LIMITS": "false"},
        **{"DATABASE_TIMEOUT_SECONDS": "2", "DATABASE_STATEMENT_SECONDS": "3", **more},
    }


def make_database(server: servers.PrivateServer) -> URL:
    """Make an empty database on a server."""
    engine = sa.create_engine(server.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE DATABASE test_survival"))
    return server.url.set(database="test_survival")


@pytest.fixture(scope="module")
def make_site(
    start_durable: Callable[[str], servers.PrivateServer], start_nginx: Callable[..., NginxSite]
) -> Callable[..., Site]:
    """Serve the platform on a private database: ``make_site("postgresql")``."""

    def make(engine_name: str, **variables: Any) -> Site:
        server = start_durable(engine_name)
        url = make_database(server)
        token = prepare(url)
        front = start_nginx("run:app", GUNICORN_CMD_ARGS=WORKERS, **environ(url, **variables))
        return Site(front, server, sa.create_engine(url, poolclass=NullPool), token)

    return make
