"""Variables that look like ours and are none: named at start and by the doctor, and no others."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import config
from app.doctor import unknown_variables
from app.doctor.unknown_variables import ELSEWHERE
from config import ROOT
from config import SETTINGS
from core import modules
from core.configuration import ConfigError
from core.configuration import collected

MODULES = modules.load(["app.accounts", "app.cors"])
KNOWN = collected.known(MODULES)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project folder of its own, with an environment that is empty."""
    monkeypatch.setattr(config, "ROOT", tmp_path)
    for name in list(os.environ):
        monkeypatch.delenv(name)
    return tmp_path


def found() -> dict[str, tuple[str, str]]:
    return {one.name: (one.meant, one.place) for one in unknown_variables.find_unknown(MODULES)}


@pytest.mark.parametrize("name", ["FLASK_ENV", "APP_ENVIRONMENT", "FLASK_CONFIG"])
@pytest.mark.parametrize("value", ["production", "Prod"])
def test_production_by_another_name_is_refused(project: Path, name: str, value: str) -> None:
    (project / ".env").write_text(f"FLASK_APP=wsgi.py\n{name}={value}\n")

    with pytest.raises(ConfigError, match=f"{name} is '{value}'.*APP_ENV=production"):
        config.load()


@pytest.mark.parametrize("line", ["FLASK_ENV=development", "APP_ENV=development\nFLASK_ENV=production"])
def test_development_by_name_starts(project: Path, line: str) -> None:
    (project / ".env").write_text(line)

    assert config.load()["APP_ENV"] == "development"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SQLALCHEMY_DATABASE_URI", "DATABASE_URL"),
        ("DB_URL", "DATABASE_URL"),
        ("DATABSE_URL", "DATABASE_URL"),
        ("database_url", "DATABASE_URL"),
        ("ALLOWED_HOSTS", "TRUSTED_HOSTS"),
        ("TRUSTED_HOST", "TRUSTED_HOSTS"),
        ("FLASK_SECRET_KEY", "SECRET_KEY"),
        ("SECRETKEY", "SECRET_KEY"),
        ("APP_EMV", "APP_ENV"),
        ("PROXY_HOP", "PROXY_HOPS"),
        ("GUNICORN_WORKERS", "WEB_CONCURRENCY"),
    ],
)
@pytest.mark.parametrize("place", [".env", "the environment"])
def test_misspelt_variable_is_found(
    project: Path, monkeypatch: pytest.MonkeyPatch, name: str, meant: str, place: str
) -> None:
    if place == ".env":
        (project / ".env").write_text(f"{name}=x\n")
    else:
        monkeypatch.setenv(name, "x")

    assert found() == {name: (meant, place)}


@pytest.mark.parametrize("name", ["SECRET", "DEBUG", "ENV", "FLASK_DEBUG", "SERVER_NAME"])
def test_common_name_counts_in_dotenv_only(project: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "x")
    assert found() == {}
    (project / ".env").write_text(f"{name}=x\n")
    assert list(found()) == [name]


def test_variable_beside_its_counterpart_is_quiet(project: Path) -> None:
    (project / ".env").write_text(
        "POSTGRES_HOST=db\nSECRET_KEY_FILE=x\nSECRET=x\nDB_URL=x\nSQLALCHEMY_DATABASE_URI=x\nALLOWED_HOSTS=\n"
    )

    assert found() == {}


#: Variables that machines, shells, containers and other programs set.
FOREIGN = re.findall(
    r"\S+",
    """
    HOME HOSTNAME HOSTS_FILE HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy LANG LANGUAGE LC_ALL LOGNAME MAIL
    MAILTO OLDPWD PATH PWD PORTS SHELL SHLVL TERM TMPDIR TZ USER VIRTUAL_ENV PYTHONPATH PYTHONUNBUFFERED
    PYTHONDONTWRITEBYTECODE PIPENV_ACTIVE PIP_NO_CACHE_DIR NODE_ENV FLASK_APP FLASK_RUN_PORT FLASK_SKIP_DOTENV
    GUNICORN_CMD_ARGS GUNICORN_PID LISTEN_FDS LISTEN_PID NOTIFY_SOCKET STATE_DIRECTORY RUNTIME_DIRECTORY
    INVOCATION_ID JOURNAL_STREAM DYNO REDIS_PORT REDIS_PORT_6379_TCP REDIS_SERVICE_HOST KUBERNETES_SERVICE_HOST
    POSTGRES_INITDB_ARGS POSTGRES_HOST_AUTH_METHOD PGHOST PGUSER PGPASSWORD PGDATABASE MYSQL_ROOT_PASSWORD
    OTEL_EXPORTER_OTLP_ENDPOINT OTEL_SERVICE_NAME SENTRY_DSN STRIPE_SECRET_KEY AWS_SECRET_ACCESS_KEY SSH_AUTH_SOCK
    TEST_POSTGRESQL_URL TEST_MARIADB_URL DATABASE_URL_TEST SECRET_KEY_FILE CORS_ORIGINS_API GITHUB_TOKEN CI EDITOR
    COMPOSE_PROJECT_NAME XDG_SESSION_TYPE XDG_SESSION_ID SESSION_MANAGER DBUS_SESSION_BUS_ADDRESS HOSTTYPE
    """,
)


def test_foreign_variables_are_quiet(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FOREIGN:
        monkeypatch.setenv(name, "x")

    assert found() == {}


def test_every_name_elsewhere_means_a_key() -> None:
    assert set(ELSEWHERE) <= {
        *(key.name for key in KNOWN),
        "MAIL_URL",
        "MAIL_SENDER",
        "SESSION_STORE",
        "SESSION_MAX_HOURS",
    }
    assert not {name for names in ELSEWHERE.values() for name in names} & {key.name for key in SETTINGS}


def run(environ: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    given = {"PATH": os.environ["PATH"], "DATABASE_URL": "sqlite://", "FLASK_SKIP_DOTENV": "1", **environ}
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=120)


def test_start_and_doctor_name_variable() -> None:
    flask = (sys.executable, "-m", "flask", "--app", "wsgi")
    strange = {"ALLOWED_HOSTS": "www.example.org"}

    assert "ALLOWED_HOSTS is set in the environment" in run(strange, *flask, "routes").stderr
    said = run(strange, *flask, "doctor").stdout
    assert "core.variable-unknown" in said
    assert "Set TRUSTED_HOSTS, and remove ALLOWED_HOSTS." in said
    assert "core.variable-unknown" not in run({}, *flask, "doctor").stdout


def test_start_without_app_env_names_cure() -> None:
    gunicorn = (sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", "--no-control-socket", "wsgi:app")
    ended = run({"FLASK_ENV": "production"}, *gunicorn)

    assert ended.returncode == 3
    assert "FLASK_ENV is 'production'" in ended.stderr
    assert "set APP_ENV=production" in ended.stderr
