"""Every check of the platform: each finds what it is for, and is quiet where all is well."""

import os
import re
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import URL

from app.doctor import Deployment
from app.doctor import databases
from app.doctor import files
from app.doctor import programs
from app.doctor.examination import collect
from config import ROOT
from core import migrations
from core import modules
from core.configuration import ConfigError
from core.configuration import collected
from services import db
from tests.checks import found

Make = Callable[..., Flask]

SECRET = os.urandom(30).hex()

#: A production with which nothing is wrong.
WELL = {
    "APP_ENV": "production",
    "SECRET_KEY": SECRET,
    "TRUSTED_HOSTS": "www.example.org",
    "PROXY_HOPS": "1",
}


#: The modules whose settings are looked at.
WITH_ORIGINS = modules.load(["app.cors"])


@pytest.fixture
def make_production_app(make_app: Make, platform: Callable[[str], URL]) -> Make:
    """Make an application in production: ``make(HTTPS="false")`` with these variables of the environment."""

    def production(_url: URL | None = None, **environ: str) -> Flask:
        url = _url or platform("sqlite")
        given = {**WELL, "DATABASE_URL": url.render_as_string(hide_password=False), **environ}
        return make_app(url, [], **collected.load(WITH_ORIGINS, given))

    return production


# --- the configuration --------------------------------------------------------------------------

CASES = [
    ("core.hosts-any", {"TRUSTED_HOSTS": ""}, "Every host name is answered"),
    ("core.hosts-wide", {"TRUSTED_HOSTS": "www.example.org,.org"}, "has '.org'"),
    ("core.hosts-wide", {"TRUSTED_HOSTS": "localhost,.localhost,127.0.0.1,[::1]"}, "this machine only"),
    ("core.https", {"HTTPS": "false"}, "HTTPS is false"),
    ("core.proxy", {"PROXY_HOPS": "0"}, "PROXY_HOPS is 0"),
    ("core.cors-any", {"CORS_ORIGINS": "*"}, "CORS_ORIGINS is *"),
    ("core.cors-any", {"CORS_ORIGINS": "http://www.example.net"}, "lets http://www.example.net in"),
    ("core.limits-off", {"RATE_LIMITS": "false"}, "RATE_LIMITS is false"),
    ("core.body-large", {"MAX_BODY_BYTES": "1000000000"}, "1,000,000,000 bytes"),
    ("core.log-secrets", {"LOG_LEVEL": "DEBUG"}, "LOG_LEVEL is DEBUG"),
    ("core.log-text", {"LOG_FORMAT": "text"}, "LOG_FORMAT is text"),
    ("core.hsts", {"HSTS_SECONDS": "0"}, "Strict-Transport-Security is missing"),
    ("core.hsts-subdomains", {}, "Names below"),
    ("core.redis-away", {"REDIS_URL": "redis://127.0.0.1:1/0"}, "Redis does not answer: ConnectionError"),
    ("core.redis-open", {"REDIS_URL": "rediss://cache.example.org:6379/0"}, "has no password"),
    ("core.redis-open", {"REDIS_URL": "redis://:secret@cache.example.org:6379/0"}, "without TLS"),
    ("core.database-sqlite", {}, "one writes at a time"),
]


@pytest.mark.parametrize(("identity", "environ", "message"), CASES)
def test_variable_that_is_wrong_is_found(
    make_production_app: Make, identity: str, environ: dict[str, str], message: str
) -> None:
    (finding,) = found(make_production_app(**environ), identity)

    assert message in finding.message
    assert finding.hint
    assert finding.where in {*(key.name for key in collected.known(WITH_ORIGINS))}


#: Configuration of a production deployment without findings, the database apart.
QUIET = sorted({identity for identity, _, _ in CASES} - {"core.database-sqlite", "core.hsts-subdomains"})
QUIET += ["core.debug", "core.cookie-flags", "core.cookie-host", "core.cannot-start", "core.environment"]
QUIET += ["core.csp", "core.headers", "core.secret-published", "core.python-old", "core.packages-differ"]


@pytest.mark.parametrize("identity", QUIET)
def test_healthy_production_has_no_finding(make_production_app: Make, identity: str) -> None:
    assert found(make_production_app(), identity) == []


def test_counters_apart_are_found(make_production_app: Make, start_redis: Callable[..., Any]) -> None:
    assert "each process counts for itself" in found(make_production_app(), "core.counters-apart")[0].message
    url = str(start_redis().url)
    assert found(make_production_app(REDIS_URL=url), "core.counters-apart") == []
    assert found(make_production_app(REDIS_URL=url), "core.redis-away") == []
    assert found(make_production_app(REDIS_URL=url), "core.redis-open") == []


def test_subdomains_on_https_pass(make_production_app: Make) -> None:
    assert found(make_production_app(HSTS_SUBDOMAINS="true"), "core.hsts-subdomains") == []


def test_redis_secret_not_shown(make_production_app: Make) -> None:
    (finding,) = found(make_production_app(REDIS_URL="redis://:hush-hush@127.0.0.1:1/0"), "core.redis-away")

    assert "hush" not in str(finding)


def test_other_environment_found(make_production_app: Make) -> None:
    (finding,) = found(make_production_app(), "core.environment", named="development")

    assert finding.message.startswith("APP_ENV is development")


def test_configuration_faults_listed_singly(make_production_app: Make) -> None:
    fault = ConfigError(["SECRET_KEY is missing: set it", "PORT is 'x': write a number", "it is broken"])
    first, second, third = found(make_production_app(), "core.cannot-start", fault=fault)

    assert (first.message, first.hint, first.where) == (
        "SECRET_KEY is missing.",
        "In .env or in the environment: set it.",
        "SECRET_KEY",
    )
    assert second.where == "PORT"
    assert third.hint == "Correct it in .env or in the environment."


def test_debugger_is_found(make_production_app: Make) -> None:
    app = make_production_app()
    app.debug = True

    assert "the debugger" in found(app, "core.debug")[0].message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SESSION_COOKIE_SECURE", False),
        ("SESSION_COOKIE_HTTPONLY", False),
        ("SESSION_COOKIE_SAMESITE", None),
        ("REMEMBER_COOKIE_SECURE", False),
    ],
)
def test_cookie_without_its_flag_is_found(make_production_app: Make, name: str, value: object) -> None:
    app = make_production_app()
    app.config[name] = value
    (finding,) = found(app, "core.cookie-flags")

    assert (finding.message, finding.where) == (f"{name} is {value!r}.", name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SESSION_COOKIE_NAME", "session"),
        ("SESSION_COOKIE_DOMAIN", "example.org"),
        ("SESSION_COOKIE_PATH", "/shop"),
    ],
)
def test_cookie_settable_by_neighbour_found(make_production_app: Make, name: str, value: str) -> None:
    app = make_production_app()
    app.config[name] = value

    assert "a neighbour" in found(app, "core.cookie-host")[0].message


def test_echo_of_statements_is_found(make_production_app: Make) -> None:
    app = make_production_app()
    app.config["SQLALCHEMY_ECHO"] = True

    assert "SQLALCHEMY_ECHO" in found(app, "core.log-secrets")[0].message


def test_body_of_any_size_is_found(make_production_app: Make) -> None:
    app = make_production_app()
    app.config["MAX_CONTENT_LENGTH"] = None

    assert "any size" in found(app, "core.body-large")[0].message


def test_endpoint_without_a_policy_is_found(make_production_app: Make) -> None:
    app = make_production_app()
    assert found(app, "core.policy-missing") == []
    app.add_url_rule("/corner", "corner", lambda: "")
    (finding,) = found(app, "core.policy-missing")

    assert "corner" in finding.message
    assert finding.where == "corner"


# --- files --------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a project's folder with secrets and code."""
    for name in ("instance", "app", "core", "alembic"):
        (tmp_path / name).mkdir()
    for name in (".env", "instance/secret_key", "config.py"):
        (tmp_path / name).write_text(SECRET)
        (tmp_path / name).chmod(0o640)
    for name in ("app", "core", "alembic"):
        (tmp_path / name).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("name", [".env", "instance/secret_key"])
@pytest.mark.parametrize("mode", [0o644, 0o642])
def test_world_readable_secrets_found(make_production_app: Make, folder: Path, name: str, mode: int) -> None:
    app = make_production_app()
    assert found(app, "core.secret-readable", root=folder) == []
    (folder / name).chmod(mode)
    (finding,) = found(app, "core.secret-readable", root=folder)

    assert (finding.where, finding.hint) == (name, f"chmod o-rwx {name}")


def test_secret_in_project_files_found(make_production_app: Make, folder: Path) -> None:
    app = make_production_app()
    (finding,) = found(app, "core.secret-published", root=folder)
    assert finding.where == "config.py"
    assert SECRET not in str(finding)
    (folder / "config.py").write_text("")
    assert found(app, "core.secret-published", root=folder) == []


def test_earlier_secret_in_files_found(make_production_app: Make, folder: Path) -> None:
    earlier = os.urandom(30).hex()
    app = make_production_app(SECRET_KEY_FALLBACKS=earlier)
    (folder / "config.py").write_text(f"SECRET_KEY = {earlier!r}")

    assert len(found(app, "core.secret-published", root=folder)) == 1


def test_world_writable_code_found(make_production_app: Make, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.os, "geteuid", lambda: 0)
    app = make_production_app()
    assert found(app, "core.code-writable", root=folder) == []
    (folder / "core").chmod(0o777)
    (finding,) = found(app, "core.code-writable", root=folder)

    assert finding.message.startswith("core can be written by all users")


def test_self_writable_code_found(make_production_app: Make, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Asked of the system by stubs: the tests may run as root, who may write anywhere.
    app = make_production_app()
    monkeypatch.setattr(files.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(files.os, "access", lambda path, mode: Path(path).name == "app")
    assert found(app, "core.code-writable", root=folder)[0].message.startswith("app can be written by this user")
    monkeypatch.setattr(files.os, "access", lambda path, mode: False)
    assert found(app, "core.code-writable", root=folder) == []


@pytest.mark.parametrize(("user", "count"), [(0, 1), (1000, 0)])
def test_root_is_found(make_production_app: Make, monkeypatch: pytest.MonkeyPatch, user: int, count: int) -> None:
    monkeypatch.setattr(files.os, "geteuid", lambda: user)

    assert len(found(make_production_app(), "core.root")) == count


def test_history_of_the_code_is_found(make_production_app: Make, folder: Path) -> None:
    app = make_production_app()
    assert found(app, "core.source-control", root=folder) == []
    (folder / ".git").mkdir()
    assert len(found(app, "core.source-control", root=folder)) == 1


# --- what it runs on ----------------------------------------------------------------------------


def test_old_python_is_found(make_production_app: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    version = sys.version_info[:2]
    monkeypatch.setitem(programs.PYTHON_ENDS, version, date(2020, 1, 31))
    (finding,) = found(make_production_app(), "core.python-old")

    assert finding.message == f"Python {version[0]}.{version[1]} is not repaired since January 2020."


def test_packages_that_differ_are_found(make_production_app: Make, tmp_path: Path) -> None:
    text = 'flask==0.1 \\\n    --hash=sha256:0\nnothing-of-this-name==1.0\ncolorama==9 ; sys_platform == "win32" \\\n'
    (tmp_path / "requirements.txt").write_text(text)
    (finding,) = found(make_production_app(), "core.packages-differ", root=tmp_path)

    assert "flask 3." in finding.message
    assert "for 0.1" in finding.message
    assert "nothing-of-this-name missing for 1.0." in finding.message
    assert "colorama" not in finding.message


# --- what is answered ---------------------------------------------------------------------------


def answering(app: Flask, name: str, value: str | None) -> Flask:
    """Let an application answer with another header; ``None`` takes it away."""
    serve = app.wsgi_app

    def change(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            kept = [header for header in headers if header[0] != name]
            return start_response(status, kept + ([(name, value)] if value is not None else []), *exc_info)

        return serve(environ, start)

    app.wsgi_app = change
    return app


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (None, ["script-src", "object-src", "base-uri", "frame-ancestors", "form-action"]),
        ("default-src 'none'; base-uri 'none'; form-action 'self'", ["frame-ancestors"]),
        (
            "default-src 'self'; script-src 'self' 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none';"
            " form-action 'self'",
            ["script-src"],
        ),
        ("default-src *; base-uri 'none'; frame-ancestors 'none'; form-action 'self'", ["default-src"]),
        ("default-src https:; base-uri 'none'; frame-ancestors 'none'; form-action 'self'", ["default-src"]),
    ],
)
def test_policy_that_is_loose_is_found(make_production_app: Make, policy: str | None, words: list[str]) -> None:
    app = answering(make_production_app(), "Content-Security-Policy", policy)

    assert [finding.where for finding in found(app, "core.csp")] == words


@pytest.mark.parametrize("header", [None, "max-age=0", "max-age=86400; includeSubDomains"])
def test_missing_hsts_is_found(make_production_app: Make, header: str | None) -> None:
    assert len(found(answering(make_production_app(), "Strict-Transport-Security", header), "core.hsts")) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Content-Type-Options", None),
        ("Referrer-Policy", None),
        ("Referrer-Policy", "unsafe-url"),
        ("Server", "Werkzeug/3.1"),
    ],
)
def test_header_that_is_wrong_is_found(make_production_app: Make, name: str, value: str | None) -> None:
    app = answering(make_production_app(), name, value)

    assert [finding.where for finding in found(app, "core.headers")] == [name]


# --- the database -------------------------------------------------------------------------------

AWAY = URL.create("postgresql+psycopg", "site", "hush-hush", host="127.0.0.1", port=1, database="test_shop")


def test_database_that_is_away_is_found(make_production_app: Make) -> None:
    (finding,) = found(make_production_app(AWAY), "core.database-away")

    assert "does not answer: connection failed" in finding.message
    assert "hush" not in str(finding)


@pytest.mark.parametrize(
    ("user", "password", "host", "count"),
    [
        ("site", "site", "127.0.0.1", 1),
        ("site", "test_shop", "127.0.0.1", 1),
        ("postgres", "postgres", "127.0.0.1", 1),
        ("site", None, "db.example.org", 1),
        ("site", None, "127.0.0.1", 0),
        ("site", "hush-hush", "db.example.org", 0),
    ],
)
def test_password_that_is_guessed_is_found(
    make_production_app: Make, user: str, password: str | None, host: str, count: int
) -> None:
    url = URL.create("postgresql+psycopg", user, password, host, 5432, "test_shop")

    assert len(found(make_production_app(url), "core.database-password")) == count


NEEDS_SERVER = ("postgresql", "mariadb")


@pytest.fixture(params=NEEDS_SERVER)
def server(request: pytest.FixtureRequest, new_database: Callable[[str], URL]) -> URL:
    """Return a new database on a server."""
    return new_database(request.param)


def test_database_that_answers_has_no_finding(
    make_production_app: Make, engine_name: str, platform: Callable[[str], URL]
) -> None:
    app = make_production_app(platform(engine_name))
    names = ("database-away", "database-encoding", "database-clear", "database-password", "clock", "revision")
    quiet = [f"core.{name}" for name in names]

    assert {name: found(app, name) for name in quiet} == {name: [] for name in quiet}
    assert len(found(app, "core.database-sqlite")) == (engine_name == "sqlite")


def test_superuser_found(make_production_app: Make, server: URL) -> None:
    assert "administers the server" in found(make_production_app(server), "core.database-user")[0].message


_MAKE_USER = {
    "postgresql": ["CREATE ROLE {name} LOGIN PASSWORD 'hush-hush'"],
    "mysql": ["CREATE USER {name}@'%' IDENTIFIED BY 'hush-hush'", "GRANT ALL ON {database}.* TO {name}@'%'"],
}
_DROP_USER = {"postgresql": "DROP ROLE {name}", "mysql": "DROP USER {name}@'%'"}


def test_user_of_one_database_passes(make_production_app: Make, server: URL) -> None:
    name = f"{server.database}_user"
    backend = server.get_backend_name()
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in _MAKE_USER[backend]:
            connection.execute(sa.text(statement.format(name=name, database=server.database)))
        app = make_production_app(server.set(username=name, password="hush-hush"))
        assert found(app, "core.database-user") == []
        with app.app_context():
            db.engine.dispose()
        connection.execute(sa.text(_DROP_USER[backend].format(name=name)))
    engine.dispose()


def test_connection_in_the_clear_is_found(
    make_production_app: Make, server: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The servers of the tests are on this machine, where it does not matter: the list of its names is emptied."""
    monkeypatch.setattr(databases, "LOOPBACK", ())
    monkeypatch.setattr(databases, "_scalar", lambda question: False)

    assert "is not encrypted" in found(make_production_app(server), "core.database-clear")[0].message
    monkeypatch.setattr(databases, "_scalar", lambda question: True)
    assert found(make_production_app(server), "core.database-clear") == []


def test_old_database_is_found(make_production_app: Make, server: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_production_app(server)
    with app.app_context(), db.engine.connect() as connection:
        known = databases.read_version(str(connection.scalar(sa.text("SELECT version()"))))
    monkeypatch.setattr(databases, "DATABASE_ENDS", {known: date(2020, 1, 31)})
    assert found(app, "core.database-old")[0].message == f"{' '.join(known)} is not repaired since January 2020."
    monkeypatch.setattr(databases, "DATABASE_ENDS", {known: date(2999, 1, 31)})
    assert found(app, "core.database-old") == []


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("PostgreSQL 17.6 (Debian 17.6-1) on x86_64", ("PostgreSQL", "17")),
        ("10.11.14-MariaDB-0+deb12u2", ("MariaDB", "10.11")),
        ("8.4.6", ("MySQL", "8.4")),
    ],
)
def test_version_of_a_server_is_read(text: str, version: tuple[str, str]) -> None:
    assert databases.read_version(text) == version


def test_encoding_that_lacks_letters_is_found(make_production_app: Make, server: URL) -> None:
    statements = {
        "postgresql": f"CREATE DATABASE {server.database}_latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
        " TEMPLATE template0",
        "mysql": f"CREATE DATABASE {server.database}_latin CHARACTER SET latin1",
    }
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(statements[server.get_backend_name()]))
        app = make_production_app(server.set(database=f"{server.database}_latin"))
        assert "latin1" in found(app, "core.database-encoding")[0].message.lower()
        with app.app_context():
            db.engine.dispose()
        connection.execute(sa.text(f"DROP DATABASE {server.database}_latin"))
    engine.dispose()


def test_clock_that_is_wrong_is_found(make_production_app: Make, server: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "_scalar", lambda question: 1_000_000)

    assert "seconds away" in found(make_production_app(server), "core.clock")[0].message


def test_pending_revision_found(
    make_production_app: Make, engine_name: str, new_database: Callable[[str], URL]
) -> None:
    (finding,) = found(make_production_app(new_database(engine_name)), "core.revision")

    assert re.search(r"(is|are) not run: ", finding.message)
    assert finding.hint == "alembic upgrade head"


def test_unknown_revision_found(make_production_app: Make, platform: Callable[[str], URL]) -> None:
    app = make_production_app()
    with app.app_context(), db.engine.begin() as connection:
        (before,) = connection.scalars(sa.text("SELECT version_num FROM alembic_version"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'gone'"))
    try:
        assert "at revision gone" in found(app, "core.revision")[0].message
        assert found(app, "core.tables-differ") == []
    finally:
        with app.app_context(), db.engine.begin() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = :one"), {"one": before})


def test_several_heads_are_found(
    make_production_app: Make, new_database: Callable[[str], URL], write_revision: Callable[[str], None], tmp_path: Path
) -> None:
    write_revision("pass")
    for name in ("two", "three"):
        text = f'revision = "{name}"\ndown_revision = "one"\n\ndef upgrade(): pass\n'
        (tmp_path / "alembic" / "versions" / f"{name}.py").write_text(text)
    app = make_production_app(new_database("sqlite"))
    (finding,) = found(app, "core.revision")
    assert "several heads, three and two" in finding.message
    assert finding.hint == "alembic merge heads; then alembic upgrade head"
    assert found(app, "core.tables-differ") == []


def test_table_that_differs_is_found(
    make_production_app: Make, engine_name: str, new_database: Callable[[str], URL], capsys: pytest.CaptureFixture[str]
) -> None:
    url = new_database(engine_name)
    migrations.upgrade(url)
    app = make_production_app(url)
    assert found(app, "core.tables-differ") == []
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE core_idempotency_key"))
    (finding,) = found(app, "core.tables-differ")

    assert "core_idempotency_key" in finding.message
    assert capsys.readouterr().out == ""


# --- the list -----------------------------------------------------------------------------------


def test_every_check_is_tested_here() -> None:
    app = Flask("app")
    checks, _ = collect(Deployment(app, "production", fault=ConfigError([])))
    folders = [ROOT / "tests" / name for name in ("core", "doctor")]
    text = "".join(path.read_text() for folder in folders for path in folder.glob("test_*.py"))
    elsewhere = {"core.check-broken"}

    assert [one.id for one in checks if f'"{one.id}"' not in text and one.id not in elsewhere] == []
    assert len({one.id for one in checks}) == len(checks)


def test_check_rule_is_one_sentence() -> None:
    checks, _ = collect(Deployment(Flask("app"), "production", fault=ConfigError([])))

    assert [one.id for one in checks if not one.rule.endswith((".", ").")) or "|" in one.rule] == []
