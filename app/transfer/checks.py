"""A check for ``flask doctor``: the sequences that rows with numbers of their own have left behind."""

from collections.abc import Iterator

from core.cli.checks import Deployment
from core.cli.checks import Finding
from core.cli.checks import Level
from core.cli.checks import Needs
from core.cli.checks import check
from core.data import revisions
from services import db

from .sequences import find_behind


@check("transfer.sequences-behind", Level.ERROR, needs=Needs.DATABASE)
def sequences_behind(deployment: Deployment) -> Iterator[Finding]:
    """The database numbers new rows after those that are there."""
    if not revisions.measure().is_none:
        # Another check reports that the database is behind; a table may be missing.
        return
    with db.engine.connect() as connection:
        for one in find_behind(connection, deployment.app):
            yield Finding(
                f"A new row may get a number that another has: {one}.",
                "flask --app run transfer sequences",
                one.column.table.name,
            )
