"""A check for ``flask doctor``: the sequences that rows with numbers of their own have left behind."""

from collections.abc import Iterator

from app.doctor import Deployment
from app.doctor import Finding
from app.doctor import Level
from app.doctor import Needs
from app.doctor import check
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
