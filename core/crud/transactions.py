"""The transaction of one piece of work: the verbs flush, and this commits.

What must happen after the COMMIT waits in :mod:`core.data.outbox`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import g

from services import db

#: Set in the application's context, which has the session as well, while a block is open.
_OPEN = "transaction_is_open"


@contextmanager
def transaction() -> Iterator[None]:
    """Commit what a block has written, or roll it back if the block or its COMMIT raises.

    A block inside another one joins it: the outermost block commits. The error of a COMMIT is raised at the end of
    the block, where the error handlers of a view still apply.
    """
    is_outermost = _OPEN not in g
    if is_outermost:
        setattr(g, _OPEN, True)
    try:
        yield
        # Making a session to commit nothing costs a tenth of a JSON-RPC call.
        if is_outermost and db.session.registry.has():
            db.session.commit()
    except BaseException:
        if db.session.registry.has():
            db.session.rollback()
        raise
    finally:
        if is_outermost:
            g.pop(_OPEN)
