"""The settings of a deployment: variables of the environment, or lines of ``.env``.

Each setting has a name, a reader of its text, a default, and its meaning. All are checked together when the
application starts; :mod:`core.configuration` has the machinery. Modules have more, in their ``settings.py``.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.configuration import Group
from core.configuration import Setting
from core.configuration import addresses
from core.configuration import boolean
from core.configuration import integer
from core.configuration import loading
from core.configuration import one_of
from core.configuration import words

#: The folder of the project.
ROOT = Path(__file__).resolve().parent

SETTINGS = (
    # The environment, and its secret.
    Setting(
        "APP_ENV",
        one_of("development", "testing", "production"),
        "development",
        "`development`, `testing` or `production`",
    ),
    Setting(
        "SECRET_KEY",
        str,
        None,
        "signs sessions and form tokens; needed in production (at least 32 characters), "
        "made and kept in `instance/` elsewhere",
        is_secret=True,
    ),
    Setting(
        "SECRET_KEY_FALLBACKS",
        words,
        [],
        "earlier secrets, comma-separated, still accepted while they are rotated out",
        is_secret=True,
    ),
    # The database.
    Setting(
        "DATABASE_URL",
        str,
        None,
        "`postgresql://…`, `mariadb://…` or `sqlite:///…`; without it and without `POSTGRES_HOST`, "
        "`instance/andamio.db` (SQLite)",
        is_secret=True,
    ),
    Setting("POSTGRES_HOST", str, None, "instead of `DATABASE_URL`: the server's name"),
    Setting("POSTGRES_PORT", integer(1, 65535), 5432, "its port"),
    Setting("POSTGRES_USER", str, "postgres", "its user"),
    Setting("POSTGRES_PASSWORD", str, "", "the user's password, as it is (no URL quoting)", is_secret=True),
    Setting("POSTGRES_DB", str, "andamio", "the database's name"),
    Setting("DATABASE_POOL_SIZE", integer(1, 1000), 5, "connections that each process keeps open"),
    Setting("DATABASE_POOL_OVERFLOW", integer(0, 1000), 10, "connections above that, closed again after use"),
    Setting("DATABASE_TIMEOUT_SECONDS", integer(1, 600), 5, "how long to wait for a connection or a lock, in seconds"),
    Setting(
        "DATABASE_COMMENTS",
        one_of("none", "route", "request"),
        "none",
        "whether statements name their origin in the database's own logs: `route`, `request` (with the request's id, "
        "so that none is prepared twice), or `none`",
    ),
    # The addresses of the site, and the proxies in front.
    Setting(
        "TRUSTED_HOSTS",
        addresses.trusted_hosts,
        {"development": addresses.LOOPBACK, "testing": addresses.LOOPBACK},
        "host names that are answered, comma-separated; `.example.org` includes its subdomains, `example.org:8443` "
        "sets the port of links; loopback only in development, any in production",
    ),
    Setting(
        "HTTPS",
        boolean,
        {"development": False, "testing": False, "production": True},
        "whether the site is reached by https: cookies then travel by https only; true in production",
    ),
    Setting(
        "SCRIPT_NAME",
        addresses.prefix,
        "",
        "path below which the site is mounted, `/app`, where it has no host of its own; the proxy in front keeps it in "
        "the paths that it passes on",
    ),
    Setting(
        "PROXY_HOPS",
        integer(0, 10),
        0,
        "number of proxies in front (one nginx: 1), each of which adds to `X-Forwarded-For` and sets "
        "`X-Forwarded-Proto`; with 0 these headers are ignored",
    ),
    Setting(
        "FORWARDED_ALLOW_IPS",
        addresses.peers,
        ["127.0.0.1", "::1"],
        "addresses and networks of those proxies, comma-separated; `*` for any, where nothing else reaches the server; "
        "unix sockets are always trusted",
    ),
    # Browsers and callers of APIs.
    Setting(
        "HSTS_SECONDS",
        integer(0, 10**9),
        {"development": 0, "testing": 0, "production": 31_536_000},
        "for how long browsers that have seen the site use https only; a year in production, 0 for off",
    ),
    Setting("HSTS_SUBDOMAINS", boolean, False, "whether that includes all names below the site's"),
    Setting("MAX_BODY_BYTES", integer(1024, 10**10), 1024 * 1024, "largest request body, in bytes"),
    Setting("RATE_LIMITS", boolean, True, "whether the limits of the APIs count; false for a load test"),
    Setting(
        "REDIS_URL",
        addresses.redis_url,
        None,
        "`redis://…` or `rediss://…`, which keeps the counters of limits; without it each process has its own",
        is_secret=True,
    ),
    # The log.
    Setting(
        "LOG_LEVEL",
        one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
        "INFO",
        "`DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`",
    ),
    Setting(
        "LOG_FORMAT",
        one_of("text", "json"),
        {"development": "text", "testing": "text", "production": "json"},
        "`text` for a terminal or `json`, one object a line; json in production",
    ),
    Setting("ACCESS_LOG", boolean, False, "whether gunicorn logs each request; nginx in front has a log of its own"),
    # The server.
    Setting(
        "HOST",
        addresses.listening_host,
        "127.0.0.1",
        "address to listen on; gunicorn's is `0.0.0.0` in production where `PORT` is set, as platforms expect",
    ),
    Setting("PORT", integer(1, 65535), 5000, "port to listen on; without it gunicorn's is 8000"),
    Setting("WEB_CONCURRENCY", integer(1, 1000), None, "workers of gunicorn; one for each usable core, from 2 to 16"),
    Setting("WEB_THREADS", integer(1, 1000), 4, "threads of each worker: the requests that it answers at once"),
    Setting(
        "WEB_REQUEST_SECONDS",
        integer(1, 3600),
        20,
        "seconds for which a client may send a request, or receive a response, at less than 8 kB a second, before "
        "gunicorn closes the connection (408)",
    ),
)


def load(environ: Mapping[str, str] | None = None, groups: Sequence[Group] = ()) -> dict[str, Any]:
    """Return the checked configuration of this deployment, for ``app.config``.

    :param environ: the variables; by default those of the process and of ``.env``. ``.env`` is not read in testing,
        so that tests cannot reach a developer's database.
    :param groups: the settings of modules
    :raises core.configuration.ConfigError: naming every fault at once
    """
    return loading.load(SETTINGS, groups, environ, ROOT)


def variables() -> dict[str, str]:
    """Return the variables of the process, above those of ``.env``, which is not read in testing."""
    return loading.variables(ROOT)


def dotenv() -> dict[str, str]:
    """Return the variables that ``.env`` sets, none in testing."""
    return loading.dotenv(ROOT)
