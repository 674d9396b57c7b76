"""The database of a deployment: its URL, and the options of its engine."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import NoSuchModuleError

#: Names of an engine in a URL → the driver that is installed for it (requirements.txt).
DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}


def database_url(values: Mapping[str, Any], root: Path, faults: list[str]) -> URL | None:
    """Return the URL of the database, with the driver that is installed; ``None`` if it cannot be used.

    :param root: the folder of the project, which relative paths of SQLite are in
    :param faults: takes the reason
    """
    text = values["DATABASE_URL"]
    if text is None and values["POSTGRES_HOST"]:
        return URL.create(
            DRIVERS["postgresql"],
            username=values["POSTGRES_USER"],
            password=values["POSTGRES_PASSWORD"] or None,
            host=values["POSTGRES_HOST"],
            port=values["POSTGRES_PORT"],
            database=values["POSTGRES_DB"],
        )
    try:
        url = make_url(text or f"sqlite:///{root / 'instance' / 'andamio.db'}")
    except (ArgumentError, ValueError):
        # The value may hold a password: it is not repeated.
        faults.append(
            "DATABASE_URL cannot be read: write ENGINE://USER:PASSWORD@HOST:PORT/NAME, "
            "special characters percent-encoded"
        )
        return None
    url = url.set(drivername=DRIVERS.get(url.drivername, url.drivername))
    if url.get_backend_name() not in {"postgresql", "mysql", "mariadb", "sqlite"}:
        faults.append(f"DATABASE_URL is for {url.drivername!r}: use postgresql, mariadb, mysql or sqlite")
        return None
    try:
        url.get_dialect().import_dbapi()
    except (NoSuchModuleError, ImportError):
        faults.append(
            f"DATABASE_URL asks for the driver {url.drivername!r}, which is not installed: "
            f"write {url.get_backend_name()}://…, and the driver is chosen"
        )
        return None
    if url.port is not None and not 0 < url.port < 65536:
        faults.append(f"DATABASE_URL has the port {url.port}: write one from 1 to 65535")
        return None
    if url.get_backend_name() == "sqlite" and url.host:
        faults.append("DATABASE_URL names a SQLite file after two slashes: write sqlite:///FILE, with three")
        return None
    return _absolute(url, root)


def _absolute(url: URL, root: Path) -> URL:
    """Place a relative path of SQLite in the project, so that it does not depend on the current folder."""
    if url.get_backend_name() != "sqlite" or is_memory(url) or str(url.database).startswith("file:"):
        return url
    return url.set(database=str(root / str(url.database)))


def is_memory(url: URL) -> bool:
    """Return whether a URL of SQLite names no file."""
    return url.database in (None, "", ":memory:")


def is_disposable(url: URL) -> bool:
    """Return whether tests may write into this database."""
    name = url.database or ""
    if url.get_backend_name() == "sqlite":
        temporary = Path(tempfile.gettempdir()).resolve()
        return is_memory(url) or Path(name).resolve().is_relative_to(temporary)
    return name.startswith("test_") or name.endswith("_test") or name == "test"


def engine_options(values: Mapping[str, Any], url: URL) -> dict[str, Any]:
    """Return the options of the engine: its pool and its time limits."""
    seconds = values["DATABASE_TIMEOUT_SECONDS"]
    # The log of a failed statement would show the values that were to be stored, among them hashes of passwords.
    hidden = {"hide_parameters": values["APP_ENV"] == "production"}
    if url.get_backend_name() == "sqlite":
        return {**hidden, "connect_args": {"timeout": seconds}}
    options: dict[str, Any] = {
        **hidden,
        "pool_size": values["DATABASE_POOL_SIZE"],
        "max_overflow": values["DATABASE_POOL_OVERFLOW"],
        "pool_timeout": seconds,
        "connect_args": {"connect_timeout": seconds},
    }
    if url.get_backend_name() in ("mysql", "mariadb"):
        options["connect_args"]["charset"] = "utf8mb4"
        options["pool_recycle"] = 1800
    return options
