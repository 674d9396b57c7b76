"""A history with several heads: alembic goes to none of them, and our messages name the command that joins them."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import command
from alembic import context
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.script.revision import MultipleHeads
from alembic.util import CommandError
from sqlalchemy import URL

from ..data import revisions

UP_TO_DATE = "Target database is not up to date."


def refuse_several_heads(history: ScriptDirectory) -> None:
    """Do nothing if the history has one head, or none.

    :raises alembic.util.CommandError: naming the heads and what to do
    """
    heads = history.get_heads()
    if len(heads) > 1:
        raise CommandError(
            f"{revisions.describe_heads(heads)} Join them: {revisions.MERGE}; then run this command again."
        )


@contextmanager
def explained(history: ScriptDirectory) -> Iterator[None]:
    """Add the hint to the message of what alembic refuses.

    :raises alembic.util.CommandError: Alembic's own, or that with the hint
    """
    try:
        yield
    except CommandError as error:
        if isinstance(error.__cause__, MultipleHeads):
            refuse_several_heads(history)
        if str(error) == UP_TO_DATE:
            raise CommandError(f"{UP_TO_DATE} Run first: {revisions.UPGRADE}") from error
        raise


def is_ready(url: URL, history: ScriptDirectory) -> bool:
    """Return whether a command needs no database: one that writes an empty revision, or joins heads.

    :raises alembic.util.CommandError: if a revision would follow one of several heads
    """
    asked = _options(url)
    plan = asked.get("revision_context")
    if plan is None:
        return "template_args" in asked
    if plan.command_args["head"] in (None, "head") and not plan.command_args["splice"]:
        refuse_several_heads(history)
    return not plan.command_args["autogenerate"]


def is_history(config: Config) -> bool:
    """Return whether the history is listed, without the place where the database stands in it."""
    asked = config.cmd_opts
    if asked is None or asked.cmd[0] is not command.history:
        return False
    return not asked.indicate_current and "current" not in (asked.rev_range or "")


def list_history(url: URL) -> None:
    """List the history; alembic would ask the database, as it runs our environment (``revision_environment``)."""
    _options(url)["fn"]((), None)


def _options(url: URL) -> dict[str, Any]:
    """Return what alembic is asked for; only a context has it, and the real one needs a connection."""
    with muted():
        context.configure(url=url)
    found: dict[str, Any] = context.get_context().opts
    return found


@contextmanager
def muted() -> Iterator[None]:
    """Leave out the lines that each context of a migration logs about itself."""
    log = logging.getLogger("alembic.runtime.migration")
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = False
