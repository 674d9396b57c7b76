import itertools
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import config as deployment
from config import ROOT
from config import SETTINGS
from config import load
from core import modules
from core.configuration import ConfigError
from core.configuration import Setting
from core.configuration import collected
from settings import INSTALLED_APPS
from tests.ports import free_port

STRONG = "6y0Rk4kBq1nV8wZt3sXeLdUaHgJmPfCo"


def faults(**environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(environ)
    return caught.value.faults


def installed() -> list[modules.Module]:
    return modules.load(INSTALLED_APPS)


def database(**environ: str):
    return load({"SECRET_KEY": STRONG, **environ})["SQLALCHEMY_DATABASE_URI"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project folder of its own, for .env and instance/."""
    monkeypatch.setattr(deployment, "ROOT", tmp_path)
    monkeypatch.delenv("APP_ENV")
    return tmp_path


# --- production ---------------------------------------------------------------------------------


def test_production_reports_all_faults_together(tmp_path):
    found = faults(
        APP_ENV="production",
        SECRET_KEY="short",
        SECRET_KEY_FALLBACKS=f"{STRONG},old",
        FLASK_DEBUG="1",
        PORT="0",
        HTTPS="maybe",
        LOG_LEVEL="loud",
        DATABASE_URL=f"sqlite:///{tmp_path}/nowhere/site.db",
    )

    keys = [fault.split()[0].rstrip(":") for fault in found]
    assert sorted(keys) == [
        "DATABASE_URL",
        "FLASK_DEBUG",
        "HTTPS",
        "LOG_LEVEL",
        "PORT",
        "SECRET_KEY",
        "SECRET_KEY_FALLBACKS",
    ]
    message = str(ConfigError(found))
    assert all(fault in message for fault in found)


@pytest.mark.parametrize(
    ("secret", "fault"),
    [
        ("", "SECRET_KEY is missing"),
        ("0123456789abcdef", "SECRET_KEY is weak"),
        ("ab" * 20, "SECRET_KEY is weak"),
    ],
)
def test_production_weak_secret_refused(secret, fault):
    (found,) = faults(APP_ENV="production", SECRET_KEY=secret, DATABASE_URL="postgresql://db/site")

    assert found.startswith(fault)
    assert "token_urlsafe" in found


def test_production_weak_fallback_refused():
    (found,) = faults(
        APP_ENV="production",
        SECRET_KEY=STRONG,
        SECRET_KEY_FALLBACKS="old",
        DATABASE_URL="postgresql://db/site",
    )

    assert found.startswith("SECRET_KEY_FALLBACKS is weak")


def test_production_with_the_debugger_is_refused():
    environ = {"APP_ENV": "production", "SECRET_KEY": STRONG, "DATABASE_URL": "postgresql://db/site"}
    (found,) = faults(**environ, FLASK_DEBUG="true")

    assert "FLASK_DEBUG is on" in found
    assert load({**environ, "FLASK_DEBUG": "0"})["APP_ENV"] == "production"


def test_production_sqlite_missing_folder_refused(tmp_path):
    (found,) = faults(APP_ENV="production", SECRET_KEY=STRONG, DATABASE_URL=f"sqlite:///{tmp_path}/no/site.db")

    assert f"{tmp_path}/no does not exist" in found


def test_production_sqlite_read_only_refused(tmp_path, monkeypatch):
    # Asked of the system by a stub: the tests may run as root, who may write anywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    (found,) = faults(APP_ENV="production", SECRET_KEY=STRONG, DATABASE_URL=f"sqlite:///{tmp_path}/site.db")

    assert "cannot be written" in found


def test_production_is_safe_by_default():
    config = load({"APP_ENV": "production", "SECRET_KEY": STRONG, "DATABASE_URL": "postgresql://db/site"})

    assert config["SESSION_COOKIE_SECURE"]
    assert config["SESSION_COOKIE_HTTPONLY"]
    assert config["SESSION_COOKIE_SAMESITE"] == "Lax"
    assert config["PREFERRED_URL_SCHEME"] == "https"
    assert config["LOG_FORMAT"] == "json"


@pytest.mark.parametrize(
    "environ",
    [
        {"DATABASE_URL": "postgresql://site:hunter2@db:port/site"},
        {"DATABASE_URL": "oracle://site:hunter2@db/site"},
        {"DATABASE_URL": "://site:hunter2@db"},
        {"APP_ENV": "testing", "DATABASE_URL": "postgresql://site:hunter2@db/site"},
        {"APP_ENV": "production", "DATABASE_URL": "postgresql://site:hunter2@db/site", "SECRET_KEY": "hunter2"},
    ],
)
def test_a_fault_repeats_no_password(environ):
    assert not any("hunter2" in fault for fault in faults(**environ))


# --- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("APP_ENV", "prod", "write one of development, testing, production"),
        ("PORT", "65536", "write a whole number from 1 to 65535"),
        ("PORT", "٣٣", "write a whole number from 1 to 65535"),
        ("PORT", "-1", "write a whole number from 1 to 65535"),
        ("HTTPS", "2", "write true or false"),
        ("DATABASE_TIMEOUT_SECONDS", "1.5", "write a whole number from 1 to 600"),
        ("LOG_FORMAT", "xml", "write one of text, json"),
    ],
)
def test_invalid_value_named_with_hint(name, value, hint):
    (found,) = faults(**{name: value})

    assert found == f"{name} is {value!r}: {hint}"


def test_empty_variable_counts_as_unset():
    assert load({setting.name: "" for setting in SETTINGS}) == load({})


@pytest.mark.parametrize("value", ["PRODUCTION", "Production"])
def test_words_accepted_in_any_case(value):
    assert load({"APP_ENV": value, "SECRET_KEY": STRONG, "DATABASE_URL": "postgresql://db/site"})["HTTPS"]


def test_lists_are_separated_by_commas():
    config = load({"SECRET_KEY": STRONG, "TRUSTED_HOSTS": "example.org, .example.com,"})

    assert config["TRUSTED_HOSTS"] == ["example.org", ".example.com"]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("TRUSTED_HOSTS", "mi_aplicacion", "has an underscore, which no host name may have (RFC 1123)"),
        ("TRUSTED_HOSTS", "www.example.org,.my_site.example.org", "has an underscore"),
        ("TRUSTED_HOSTS", "https://www.example.org", "write HOST or HOST:PORT"),
        ("TRUSTED_HOSTS", "www.example.org/", "is no host name"),
        ("TRUSTED_HOSTS", "www.example.org.", "a dot at the end"),
        ("TRUSTED_HOSTS", "*.example.org", "write .example.org, which takes its subdomains too"),
        ("TRUSTED_HOSTS", "www.example.org:99999", "write HOST or HOST:PORT"),
        ("TRUSTED_HOSTS", "a..example.org", "is no host name"),
        ("TRUSTED_HOSTS", f"{'a' * 64}.example.org", "is no host name"),
        ("TRUSTED_HOSTS", "::1", "an IPv6 address as [2001:db8::1]"),
        ("TRUSTED_HOSTS", "[::g]", "is no IPv6 address"),
        ("HOST", "http://0.0.0.0", "without a scheme or a port"),
        ("HOST", "0.0.0.0:8000", "without a scheme or a port"),
    ],
)
def test_impossible_host_is_refused(name, value, reason):
    (found,) = faults(**{name: value})

    assert found.startswith(f"{name} is {value!r}: ")
    assert reason in found


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("WWW.Example.org", "www.example.org"),
        ("www.example.org", "WWW.Example.ORG"),
        ("münchen.example", "xn--mnchen-3ya.example"),
        (".Example.org", "shop.example.org"),
        ("www.example.org:8443", "www.example.org:8443"),
        ("[::1]", "[::1]:5000"),
        ("[2001:DB8:0::1]:8000", "[2001:db8::1]:8000"),
        ("192.0.2.7", "192.0.2.7:8000"),
    ],
)
def test_host_that_is_taken_is_answered(make_app, written, asked):
    client = make_app(TRUSTED_HOSTS=load({"TRUSTED_HOSTS": written})["TRUSTED_HOSTS"]).test_client()

    assert client.get("/status", headers={"Host": asked}).status_code == 201
    assert client.get("/status", headers={"Host": "other.example"}).status_code == 400
    assert client.get("/status", headers={"Host": "[2001:db8::2]"}).status_code == 400


@pytest.mark.parametrize("host", ["localhost:5000", "127.0.0.1:5000", "[::1]:5000", "shop.localhost"])
def test_machine_itself_is_answered_in_development(make_app, host):
    client = make_app(TRUSTED_HOSTS=load({})["TRUSTED_HOSTS"]).test_client()

    assert client.get("/status", headers={"Host": host}).status_code == 201


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("postgresql://db:99999/site", "write one from 1 to 65535"),
        ("mariadb://db:0/site", "write one from 1 to 65535"),
        ("sqlite://site.db", "write sqlite:///FILE, with three"),
    ],
)
def test_impossible_database_url_is_refused(url, hint):
    (found,) = faults(DATABASE_URL=url)

    assert hint in found


# --- the database -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "driver"),
    [
        ("postgres", "postgresql+psycopg"),
        ("postgresql", "postgresql+psycopg"),
        ("postgresql+psycopg", "postgresql+psycopg"),
        ("mysql", "mysql+pymysql"),
        ("mariadb", "mariadb+pymysql"),
        ("mariadb+pymysql", "mariadb+pymysql"),
    ],
)
def test_database_url_gets_installed_driver(written, driver):
    url = database(DATABASE_URL=f"{written}://site:p%40ss@db:99/site")

    assert url.drivername == driver
    assert (url.username, url.password, url.host, url.port, url.database) == ("site", "p@ss", "db", 99, "site")


def test_relative_sqlite_path_in_project():
    assert database(DATABASE_URL="sqlite:///instance/site.db").database == str(ROOT / "instance" / "site.db")
    assert database(DATABASE_URL="sqlite:////srv/site.db").database == "/srv/site.db"
    assert database().database == str(ROOT / "instance" / "andamio.db")


def test_postgres_parts_make_the_url():
    url = database(POSTGRES_HOST="db", POSTGRES_PORT="5433", POSTGRES_USER="site", POSTGRES_PASSWORD="a@b:c/d%41")

    assert (url.drivername, url.host, url.port, url.database) == ("postgresql+psycopg", "db", 5433, "andamio")
    assert url.password == "a@b:c/d%41"


def test_database_url_overrides_parts():
    assert database(DATABASE_URL="mariadb://one/site", POSTGRES_HOST="two").host == "one"


def test_the_timeout_reaches_every_engine():
    assert load({"DATABASE_TIMEOUT_SECONDS": "7"})["SQLALCHEMY_ENGINE_OPTIONS"]["connect_args"]["timeout"] == 7
    options = load({"DATABASE_TIMEOUT_SECONDS": "7", "DATABASE_URL": "postgresql://db/x"})["SQLALCHEMY_ENGINE_OPTIONS"]
    assert options["pool_timeout"] == 7
    assert options["connect_args"]["connect_timeout"] == 7


# --- testing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["site", "andamio", "latest", "my_tests", "testament"])
def test_testing_refuses_real_database(name):
    (found,) = faults(APP_ENV="testing", DATABASE_URL=f"postgresql://db/{name}")

    assert found.startswith(f"DATABASE_URL names {name!r}")


@pytest.mark.parametrize("path", ["instance/andamio.db", "/srv/test_site.db"])
def test_testing_sqlite_outside_temporary_folder_refused(path, monkeypatch):
    monkeypatch.setattr(deployment, "ROOT", Path("/srv/project"))
    (found,) = faults(APP_ENV="testing", DATABASE_URL=f"sqlite:///{path}")

    assert "DATABASE_URL names" in found


def test_testing_refuses_the_default_database(monkeypatch):
    monkeypatch.setattr(deployment, "ROOT", Path("/srv/project"))
    (found,) = faults(APP_ENV="testing")

    assert "andamio.db" in found


@pytest.mark.parametrize("url", ["postgresql://db/test_site", "mariadb://db/site_test", "sqlite://"])
def test_testing_takes_a_disposable_database(url):
    assert load({"APP_ENV": "testing", "DATABASE_URL": url})["APP_ENV"] == "testing"


# --- secrets in files ---------------------------------------------------------------------------


def test_secret_may_stand_in_a_file(tmp_path):
    secret, url = tmp_path / "secret", tmp_path / "url"
    secret.write_text(f"{STRONG}\n")
    url.write_text("postgresql://site:a b@db/site\r\n")
    config = load({"SECRET_KEY_FILE": str(secret), "DATABASE_URL_FILE": str(url), "SECRET_KEY": ""})

    assert config["SECRET_KEY"] == STRONG
    assert config["SQLALCHEMY_DATABASE_URI"].database == "site"


def test_unusable_secret_file_named(tmp_path):
    production = {"APP_ENV": "production", "DATABASE_URL": "sqlite://", "SECRET_KEY_FILE": str(tmp_path / "gone")}
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff")

    (found,) = faults(**production)
    assert found.startswith(f"SECRET_KEY_FILE names '{tmp_path}/gone', which cannot be read (No such file")
    (found,) = faults(**{**production, "SECRET_KEY_FILE": str(tmp_path / "empty")})
    assert "which is empty" in found
    (found,) = faults(**{**production, "SECRET_KEY_FILE": str(tmp_path / "binary")})
    assert "(it is no text)" in found
    (found,) = faults(**{**production, "SECRET_KEY": STRONG})
    assert found == "SECRET_KEY and SECRET_KEY_FILE are both set: unset one of them"


def test_only_secrets_may_stand_in_files(tmp_path):
    (tmp_path / "port").write_text("81")

    assert load({"PORT_FILE": str(tmp_path / "port")})["PORT"] == 5000


# --- .env ---------------------------------------------------------------------------------------


def test_dotenv_is_beneath_the_environment(project, monkeypatch):
    (project / ".env").write_text("PORT=5001\nHOST=0.0.0.0\n")
    monkeypatch.setenv("PORT", "5002")

    config = load()

    assert (config["HOST"], config["PORT"]) == ("0.0.0.0", 5002)


def test_dotenv_is_not_read_in_testing(project, monkeypatch):
    (project / ".env").write_text("PORT=5001\n")
    monkeypatch.setenv("APP_ENV", "testing")
    monkeypatch.setenv("DATABASE_URL", "sqlite://")

    assert load()["PORT"] == 5000


def test_local_secret_created_once_private(project):
    first, second = load()["SECRET_KEY"], load()["SECRET_KEY"]

    assert first == second
    assert len(first) >= 32
    assert (project / "instance" / "secret_key").stat().st_mode & 0o777 == 0o600


def written(setting: Setting) -> str:
    """The default of a setting, as it is written in .env."""
    value = setting.default["development"] if isinstance(setting.default, dict) else setting.default
    if isinstance(value, list):
        return ",".join(value)
    return str("" if value is None else value).lower() if isinstance(value, bool) else str(value or "")


@pytest.mark.parametrize("url", ["sqlite://", "postgresql://db/x"])
def test_statement_values_not_logged_in_production(url):
    production = {"APP_ENV": "production", "SECRET_KEY": "0123456789-abcdefghijklmnopqrstuvwxyz", "DATABASE_URL": url}
    assert load({**production, "TRUSTED_HOSTS": "example.org"})["SQLALCHEMY_ENGINE_OPTIONS"]["hide_parameters"] is True
    assert load({"DATABASE_URL": url})["SQLALCHEMY_ENGINE_OPTIONS"]["hide_parameters"] is False


def test_dotenv_example_is_complete():
    blocks = (ROOT / ".env.example").read_text().strip().split("\n\n")[1:]

    assert blocks == [f"# {one.doc}\n# {one.name}={written(one)}" for one in collected.known(installed())]


def test_dotenv_example_uncommented_changes_nothing(project):
    before = collected.load(installed())
    text = (ROOT / ".env.example").read_text()
    (project / ".env").write_text(re.sub(r"^# (?=[A-Z_]+=)", "", text, flags=re.MULTILINE))

    assert collected.load(installed()) == before


# --- run.py -------------------------------------------------------------------------------------

FAULTY = {"APP_ENV": "production", "PORT": "0", "FLASK_SKIP_DOTENV": "1"}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["run.py"], 2),
        (["run.py", "--prepare"], 2),
        (["-m", "flask", "--app", "run", "routes"], 3),
        (["-m", "gunicorn", "--bind", "127.0.0.1:0", "--no-control-socket", "run:app"], 3),
    ],
)
def test_faulty_configuration_ends_start(command, code, tmp_path):
    environ = {**os.environ, **FAULTY, "SECRET_KEY": "hunter2"}
    answer = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60
    )

    assert answer.returncode == code, answer.stderr
    assert "PORT is '0'" in answer.stderr
    assert "SECRET_KEY is weak" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert "hunter2" not in answer.stderr + answer.stdout


def test_development_server_answers_locally_only(tmp_path: Path) -> None:
    port = free_port()
    environ = {**os.environ, "APP_ENV": "testing", "DATABASE_URL": f"sqlite:///{tmp_path}/x.db", "PORT": str(port)}
    process = subprocess.Popen([sys.executable, "run.py"], cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True)
    try:
        (line,) = itertools.islice((line for line in process.stderr or () if "Running on" in line), 1)
        socket.create_connection(("127.0.0.1", port)).close()
        # Also of this machine, but not what it is bound to.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port))
    finally:
        process.terminate()
        process.communicate()
    assert f"http://localhost:{port}" in line


def test_unreadable_line_of_dotenv_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=8000\nthis is not env\n")
    monkeypatch.setattr(deployment, "ROOT", tmp_path)
    monkeypatch.delenv("APP_ENV")
    with pytest.raises(ConfigError, match=r"\.env, line 2 cannot be read"):
        load()


def test_missing_driver_named() -> None:
    with pytest.raises(ConfigError, match=r"mysql\+mysqldb.*not installed.*write mysql://"):
        load({"DATABASE_URL": "mysql+mysqldb://x/y"})


def test_config_import_loads_little_of_core():
    code = "import sys, config; print(*(name for name in sys.modules if name.split('.')[0] in ('app', 'core')))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert {".".join(name.split(".")[:2]) for name in loaded.stdout.split()} == {"core", "core.configuration"}
