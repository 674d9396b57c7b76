"""Commands that destroy data: in production they ask for the database's name first.

.. code-block:: python

    @click.command()
    @destructive
    def purge() -> None:
        \"\"\"Delete what is old.\"\"\"

A command in the wrong terminal is the most frequent way to lose a database. What is asked for is not "yes",
which fingers write by themselves, but which database is meant.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from flask import current_app
from sqlalchemy import URL

from services import db


def destructive(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command be run in production only with ``--database NAME``; it stands below ``@click.command()``."""

    @click.option("--database", "named", metavar="NAME", help="In production: the database that is meant.")
    @functools.wraps(function)
    def guarded(*args: Any, named: str | None, **kwargs: Any) -> Any:
        refusal = refuse(db.engine.url, named, "--database NAME", current_app.config["APP_ENV"])
        if refusal:
            raise click.UsageError(refusal)
        return function(*args, **kwargs)

    return guarded


def refuse(url: URL, named: str | None, option: str, environment: str) -> str | None:
    """Return why data may not be destroyed, ``None`` if it may.

    :param named: the database that is meant, as the operator knows it
    :param option: how it is named
    """
    name = database_name(url)
    if environment != "production" or named == name:
        return None
    if named is None:
        return f"This destroys data of the production database {name!r}: if you mean it, name it with {option}."
    return f"{named!r} is not the production database that this is about."


def database_name(url: URL) -> str:
    """Return what a database is called; of SQLite its file's name."""
    return Path(str(url.database)).name if url.get_backend_name() == "sqlite" else str(url.database)
