"""A history with several heads: alembic goes to none of them, and our messages name the command that joins them."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic.script import ScriptDirectory
from alembic.script.revision import MultipleHeads
from alembic.util import CommandError

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
        if isinstance(error.__cause__, MultipleHeads) or str(error) == UP_TO_DATE:
            refuse_several_heads(history)
        if str(error) == UP_TO_DATE:
            raise CommandError(f"{UP_TO_DATE} Run first: {revisions.UPGRADE}") from error
        raise
