"""The sections of ``flask about``."""

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import click
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

import settings
from core import modules
from core.configuration import Setting
from core.configuration import collected
from core.configuration.collected import ROOT
from core.data import cursors
from core.data import inventory
from core.data import revisions
from core.data import threads
from core.logs import redact
from core.modules import Module
from services import db

#: Seconds that the database may take.
DATABASE_SECONDS = 3.0

#: The packages on which it depends most how things behave.
PACKAGES = (
    *("flask", "werkzeug", "sqlalchemy", "alembic", "marshmallow", "orjson", "gunicorn", "granian"),
    *("psycopg", "pymysql", "redis"),
)

#: Files of a module that the platform looks for by name.
OFFERS = ("rpc", "health", "menu", "cli", "demo", "checks", "settings", "tasks", "admin")

#: Environment variables that the servers themselves read.
SERVING = ("PORT", "WEB_CONCURRENCY", "GUNICORN_CMD_ARGS", "FORWARDED_ALLOW_IPS")

_VERSIONS = {"sqlite": "SELECT sqlite_version()", "postgresql": "SHOW server_version"}

Section = Mapping[str, Any]


def collect(app: Flask) -> dict[str, Section]:
    """Return everything, in sections."""
    return {
        "application": _application(app),
        "packages": dict(_packages()),
        "database": _database(app),
        "modules": {module.name: _module(app, module) for module in modules.installed(app)},
        "configuration": _configuration(app),
        "serving": {"CPUs": os.cpu_count(), **{name: redact(os.environ.get(name, "")) or None for name in SERVING}},
    }


def show(app: Flask, *, as_json: bool) -> None:
    """Print everything, for people or for programs."""
    sections = collect(app)
    if as_json:
        click.echo(json.dumps(sections, indent=2))
        return
    for number, (name, section) in enumerate(sections.items()):
        click.secho(f"{'' if number == 0 else os.linesep}{name.capitalize()}", bold=True)
        width = max(map(len, section), default=0)
        for label, value in section.items():
            click.echo(f"  {label:{width}}  {_written(value)}")


def _written(value: Any) -> str:
    if isinstance(value, Mapping):
        counts = [f"{one} {name}" for name, one in value.items() if isinstance(one, int)]
        lists = [f"{name}: {_written(one)}" for name, one in value.items() if isinstance(one, list)]
        return "; ".join([", ".join(counts), *lists])
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    words = {None: "-", True: "yes", False: "no"}
    return words.get(value) or str(value) if isinstance(value, bool | None) else str(value)


# --- the sections -------------------------------------------------------------------------------


def _application(app: Flask) -> Section:
    return {
        "site": settings.SITE_NAME,
        "environment": app.config["APP_ENV"],
        "revision": _git_revision(),
        "folder": str(ROOT),
        "instance": app.instance_path,
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": platform.platform(),
    }


def _git_revision() -> str | None:
    """Return which commit this is, with a ``+`` if files were changed; ``None`` without git."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return None
    order = [git, "describe", "--always", "--tags", "--dirty=+"]
    try:
        ran = subprocess.run(order, cwd=ROOT, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ran.stdout.strip() or None


def _packages() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue


def _database(app: Flask) -> Section:
    options = app.config["SQLALCHEMY_ENGINE_OPTIONS"]
    pool = f"{options['pool_size']} + {options['max_overflow']} a process" if "pool_size" in options else None
    url = redact(db.engine.url.render_as_string())
    found = {"url": url, "driver": db.engine.driver, "pool": pool, "server": None}

    def ask() -> dict[str, Any]:
        with app.app_context():
            version = cursors.read_tuples(_VERSIONS.get(cursors.engine_name(), "SELECT version()"))[0][0]
            distance = revisions.measure()
            return {"server": version, "revision": ", ".join(distance.applied) or None, "schema": str(distance)}

    try:
        return found | threads.begin(ask, "about").result(DATABASE_SECONDS)
    except TimeoutError:
        return found | {"fault": f"It does not answer within {DATABASE_SECONDS:g} seconds."}
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        return found | {"fault": redact(cause) or type(error).__name__}


def _module(app: Flask, module: Module) -> Section:
    names = {blueprint.name for blueprint in modules.blueprints(module)}
    endpoints = [rule.endpoint.partition(".")[0] for rule in app.url_map.iter_rules()]
    tables = Counter(inventory.owners(modules.installed(app)).values())
    return {
        "routes": sum(endpoint in names for endpoint in endpoints),
        "tables": tables[module.label],
        "offers": [name for name in OFFERS if module.has(name)],
    }


def _configuration(app: Flask) -> Section:
    known = [one for one in collected.known(modules.installed(app)) if one.name in app.config]
    return {one.name: _shown(one, app.config[one.name]) for one in known}


def _shown(setting: Setting, value: Any) -> Any:
    """Return the value of a setting; of a secret only that it is set, of a URL all but its password."""
    if isinstance(value, list):
        return [_shown(setting, one) for one in value]
    if not isinstance(value, str) or not value:
        return value
    if setting.is_secret and not (setting.name.endswith("_URL") and "://" in value):
        return "(set)"
    return redact(value)
