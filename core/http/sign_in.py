"""The sign-in page, registered by the module that knows users; visitors are redirected there and back."""

from flask import Flask
from flask import current_app
from flask import request
from flask import url_for
from flask.globals import request_ctx

from ..platform import platform_of
from .links import own_url
from .redirects import is_own_path


def sign_in_at(app: Flask, endpoint: str) -> None:
    """Let people who must sign in be led to a page, which gets in ``next`` where they came from."""
    platform_of(app).sign_in_endpoint = endpoint


def sign_in_url() -> str | None:
    """Return the address of the page on which to sign in and then come back; ``None`` if there is none.

    After a form that was sent there is nothing to come back to.
    """
    endpoint: str | None = platform_of(current_app).sign_in_endpoint
    if endpoint is None or request_ctx.url_adapter is None:
        return None
    if not leads_back():
        return url_for(endpoint)
    url = own_url()
    return url_for(endpoint, next=url) if is_own_path(url) else url_for(endpoint)


def leads_back() -> bool:
    """Return whether the request can be sent again by a link."""
    return request.method in ("GET", "HEAD")
