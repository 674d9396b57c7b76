"""The transaction of Flask-Security's views: it is committed with the view, where error handlers still apply.

Flask-Security itself commits in ``after_this_request``, beyond all error handlers: a COMMIT that failed there was a
500, after the session was issued, the mails were sent, and the sign-in was in the security log.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Flask
from flask import Response
from flask import make_response

from core.crud import transaction

from . import identities
from .sessions import lifetimes


def init_app(app: Flask, blueprint: str) -> None:
    """Make each view of a blueprint one transaction."""
    for endpoint, view in app.view_functions.items():
        if endpoint.startswith(f"{blueprint}."):
            app.view_functions[endpoint] = _committing(view)


def _committing(view: Callable[..., Any]) -> Callable[..., Response]:
    @wraps(view)
    def commit(**values: Any) -> Response:
        try:
            with transaction():
                response = make_response(view(**values))
                lifetimes.renew()
        except Exception:
            lifetimes.abandon()
            identities.look_again()
            raise
        return response

    return commit
