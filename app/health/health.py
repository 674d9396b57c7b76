"""Checks that every site needs: its database, at the revision of the code, and room to write."""

import importlib
import shutil
import sqlite3
import time
from pathlib import Path

from flask import current_app
from sqlalchemy.exc import DBAPIError

from core.api.idempotency import idempotency_keys
from core.data import cursors
from core.data import drivers
from core.data import inventory
from core.data import revisions
from core.data import writability
from core.data.revisions import Distance
from services import db

from .examination import examiner
from .terms import CheckFailed
from .terms import check

#: Seconds that Redis may take.
REDIS_SECONDS = 0.5

#: Less room is a warning; next to none a failure: a database there cannot be written.
LOW_BYTES = 200 * 1024**2
LEAST_BYTES = 20 * 1024**2

#: Seconds until the match of tables and models is checked again.
TABLES_SECONDS = 60.0


def database() -> None:
    """The database answers."""
    cursors.read_tuples("SELECT 1")


def writes() -> None:
    """The database takes writes."""
    try:
        writability.try_to_write(db.engine, idempotency_keys.c.status)
    except (DBAPIError, sqlite3.Error) as error:
        cause = getattr(error, "orig", error)
        if drivers.is_missing(cause):
            # That is for the check of the schema to say.
            return
        if not drivers.is_read_only(cause):
            raise
        raise CheckFailed(f"{cause}. {writability.explain(db.engine)}", "Let the database be written.") from error


def schema() -> str | None:
    """The database is at the revision of this code."""
    distance = revisions.measure()
    if distance.is_none:
        missing = _missing_at_head(distance)
        if missing:
            places = ", ".join(place for module in missing.values() for place in module)
            return f"All revisions are run, and no revision makes {places}."
        return f"{distance} {distance.hint}" if distance.held else None
    missing = inventory.lacking(current_app)
    if distance.unknown and current_app.config["HEALTH_DATABASE_AHEAD"] == "allow":
        missing = missing or inventory.demanding(current_app)
        if not missing:
            return str(distance)
    if distance.unknown:
        raise CheckFailed(f"{distance} {distance.hint}", "Deploy the code that goes with the database.", missing)
    raise CheckFailed(str(distance), distance.hint, missing)


def _missing_at_head(distance: Distance) -> dict[str, list[str]]:
    """Return what no revision has made; the catalogue is not read each second for it."""
    known = examiner().tables
    found: tuple[float, dict[str, list[str]]] | None = known.get(distance.applied)
    if found is None or time.monotonic() - found[0] > TABLES_SECONDS:
        known.clear()
        found = known[distance.applied] = (time.monotonic(), inventory.lacking(current_app))
    return found[1]


def disk() -> str | None:
    """There is room to write."""
    folders = [Path(current_app.instance_path)]
    if cursors.engine_name() == "sqlite" and db.engine.url.database not in (None, "", ":memory:"):
        folders.append(Path(str(db.engine.url.database)).parent)
    for folder in reversed(folders):
        place = next(one for one in (folder, *folder.parents) if one.exists())
        free = shutil.disk_usage(place).free
        if free < LEAST_BYTES and len(folders) == 2:
            raise CheckFailed(f"{place} has {free:,} bytes left.", "Make room on the disk.")
        if free < LOW_BYTES:
            return f"{place} has {free:,} bytes left."
    return None


@check(seconds=1, essential=False)
def counters() -> None:
    """Redis answers, where one is set: limits are counted by all processes together."""
    url = current_app.config["REDIS_URL"]
    if not url:
        return
    if examiner().redis is None:
        # It is imported where one is set only: it takes a while.
        redis = importlib.import_module("redis")
        waits = {"socket_timeout": REDIS_SECONDS, "socket_connect_timeout": REDIS_SECONDS}
        examiner().redis = redis.Redis.from_url(url, **waits)
    examiner().redis.ping()
