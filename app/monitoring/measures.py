"""Metrics, by the names of /metrics and docs/operations.md.

Labels have few values: an endpoint is a known one or none, a method one of HTTP's or ``other``.
"""

from prometheus_client import Counter
from prometheus_client import Gauge
from prometheus_client import Histogram

#: Seconds. Half of all requests take a millisecond or two, and ten seconds is the longest that a client waits.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

REQUESTS = Counter("http_requests", "Requests that were answered.", ["endpoint", "method", "status"])
DURATION = Histogram(
    "http_request_duration_seconds", "How long the application took to answer.", ["endpoint"], buckets=BUCKETS
)
IN_FLIGHT = Gauge("http_requests_in_flight", "Requests that are being answered.", multiprocess_mode="livesum")
EXCEPTIONS = Counter("http_exceptions", "Unhandled exceptions (500).", ["endpoint", "exception"])

SQL_SECONDS = Counter("database_seconds", "Time that statements took, of requests.", ["endpoint"])
SQL_STATEMENTS = Counter("database_statements", "Statements that requests have run.", ["endpoint"])

CONNECTIONS = Gauge("database_connections", "Connections that are open.", multiprocess_mode="livesum")
IN_USE = Gauge("database_connections_in_use", "Connections that are in use.", multiprocess_mode="livesum")
MOST_CONNECTIONS = Gauge(
    "database_connections_max", "Connections that there can be at most.", multiprocess_mode="livesum"
)
USED_SECONDS = Counter("database_connection_seconds", "Time that connections were in use, together.")
WAITS = Counter("database_connection_waits", "Times that all connections were in use, and one had to wait.")
WAIT_SECONDS = Counter("database_connection_wait_seconds", "Time that was waited for a connection, together.")

SECURITY_EVENTS = Counter("security_events", "Lines of the security log.", ["event", "outcome"])
