"""The metrics for Prometheus, read with a token."""

import hmac

from flask import Blueprint
from flask import Response
from flask import current_app
from flask import g
from flask import request

from core.access import Identity
from core.access import access
from core.access import permission
from core.declarations import stays_open
from core.http.apis import mark_api
from core.http.apis import undocumented
from core.http.proxies import PASSED_ON

from . import exposition

READ = permission("monitoring.metric.read")

#: Sender of ``METRICS_TOKEN``, and in development of requests from this machine.
COLLECTOR = Identity("metrics", "Metrics", READ.permissions, READ.permissions, via="token")

metrics = Blueprint("metrics", __name__, url_prefix="/metrics")
mark_api(metrics)


@metrics.url_value_preprocessor
def know_collector(endpoint: str | None, values: object) -> None:
    """Recognize the collector by its token, without a query: the database may be unavailable."""
    if _sends_token() or _is_developer():
        g.identity = COLLECTOR


@metrics.get("")
@access(READ)
@stays_open()
@undocumented()
def read() -> Response:
    """Answer with all metrics of this service on this machine."""
    body, content_type = exposition.encode(current_app.config["APP_ENV"], request.headers.get("Accept", ""))
    return Response(body, content_type=content_type)


def _sends_token() -> bool:
    token = current_app.config["METRICS_TOKEN"]
    sent = request.headers.get("Authorization", "")
    # Compared in constant time.
    return bool(token) and hmac.compare_digest(sent.encode(), f"Bearer {token}".encode())


def _is_developer() -> bool:
    # Development serves this machine's names only; that is the caller's word, and the address is not.
    is_here = request.remote_addr in ("127.0.0.1", "::1") and not request.environ[PASSED_ON]
    return current_app.config["APP_ENV"] == "development" and is_here
