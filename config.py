"""How this deployment is set: read from the environment and ``.env``, checked as a whole.

:data:`KEYS` is the complete list; ``.env.example`` and the README's table are held to it by a
test. :func:`load` answers with what Flask and its extensions read from ``app.config``.
"""

import os
import re
import secrets
import tempfile
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from urllib.parse import urlsplit

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from sqlalchemy.engine import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import NoSuchModuleError

ROOT = Path(__file__).resolve().parent
ENVIRONMENTS = ("development", "testing", "production")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

#: What a person may write for an engine, and the driver that requirements.txt brings for it.
DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}


class ConfigError(Exception):
    """The environment does not describe a deployment that can run.

    :param faults: one sentence per fault, naming the key, what is wrong and the cure
    """

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("the configuration cannot be used:\n" + "\n".join(f"  - {f}" for f in faults))


def _boolean(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    if text.lower() not in words:
        raise ValueError("write true or false")
    return words[text.lower()]


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise ValueError(f"write a whole number from {low} to {high}")
        return int(text)

    return parse


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        for word in words:
            if text.lower() == word.lower():
                return word
        raise ValueError(f"write one of {', '.join(words)}")

    return parse


def _list(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


#: The port that browsers leave out of an origin.
_PORTS = {"http": 80, "https": 443}
_LOOPBACK = r"(?:localhost|127\.0\.0\.1|\[::1\])"
_HOST = r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])"
_ORIGIN = re.compile(rf"(https?)://(?:{_LOOPBACK}:\*|{_HOST}(?::([0-9]{{1,5}}))?)")


def _origins(text: str) -> list[str]:
    if text.lower() == "none":
        return []
    origins = [word.lower() for word in _list(text)]
    if "*" in origins and len(origins) > 1:
        raise ValueError("* stands for all sites: write it alone")
    for origin in origins:
        found = _ORIGIN.fullmatch(origin)
        if not found and origin != "*":
            raise ValueError(
                f"{origin!r} is no origin: write SCHEME://HOST or SCHEME://HOST:PORT, without a path, a slash at the "
                "end or a pattern (http://localhost:* is any port of this machine); * for all sites, none for no one"
            )
        if found and found[2] and int(found[2]) == _PORTS[found[1]]:
            raise ValueError(f"browsers leave the port of {origin!r} out: write {origin.rpartition(':')[0]}")
    return origins


def _redis(text: str) -> str:
    try:
        url = urlsplit(text)
        is_usable = url.scheme in ("redis", "rediss") and bool(url.hostname) and url.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or not re.fullmatch(r"/?[0-9]{0,3}", url.path):
        raise ValueError("write redis://HOST:PORT/NUMBER, with rediss:// for TLS")
    return text


def _mail(text: str) -> list[str]:
    urls = _list(text)
    if not all(map(_is_way_of_mail, urls)):
        raise ValueError(_MAIL_CURE)
    return urls


def _is_way_of_mail(url: str) -> bool:
    scheme, _, path = url.partition(":")
    if scheme == "folder":
        return bool(path.strip("/")) and "\0" not in unquote(path)
    try:
        parts = urlsplit(url)
        names_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return names_host if parts.scheme in ("smtp", "smtps") else parts.scheme in ("console", "memory")


def _sender(text: str) -> str:
    _, address = parseaddr(text)
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", address):
        raise ValueError("write an address, or NAME <ADDRESS>")
    return text


_MAIL_CURE = "write smtp://USER:PASSWORD@HOST:587, smtps://…, console: or folder:PATH, special characters %-encoded"


@dataclass(frozen=True)
class Key:
    """One variable of the environment, or a family of them, ``NAME_<WHAT>``.

    :param default: the value, or one for each environment, used where the variable is not set
    :param is_secret: whether no message may repeat the value
    """

    name: str
    parse: Callable[[str], Any]
    default: Any
    doc: str
    is_secret: bool = False

    def names(self, environ: Mapping[str, str]) -> list[str]:
        """Return the variables that are meant: of a family, those that are set."""
        prefix, family, _ = self.name.partition("<")
        if not family:
            return [self.name]
        return sorted(name for name, text in environ.items() if text and name.startswith(prefix) and name != prefix)

    def value(self, text: str | None, environment: str) -> Any:
        if text is not None:
            return self.parse(text)
        if isinstance(self.default, dict):
            return self.default.get(environment)
        return self.default


#: Names under which a developer's machine answers. In development no other host is served, so a
#: deployment that forgot to set APP_ENV says so at its first request instead of running unsafely.
LOOPBACK = ["localhost", ".localhost", "127.0.0.1", "[::1]"]

#: Where a site that is being developed beside the API is served.
LOCAL_ORIGINS = ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"]

KEYS = (
    Key("APP_ENV", _one_of(*ENVIRONMENTS), "development", "`development`, `testing` or `production`"),
    Key(
        "SECRET_KEY",
        str,
        None,
        "signs sessions and form tokens; needed in production (at least 32 characters), "
        "made and kept in `instance/` elsewhere",
    ),
    Key(
        "SECRET_KEY_FALLBACKS", _list, [], "earlier secrets, comma-separated, still accepted while they are rotated out"
    ),
    Key(
        "DATABASE_URL",
        str,
        None,
        "`postgresql://…`, `mariadb://…` or `sqlite:///…`; without it and without `POSTGRES_HOST`, "
        "`instance/andamio.db` (SQLite)",
    ),
    Key("POSTGRES_HOST", str, None, "instead of `DATABASE_URL`: the server's name"),
    Key("POSTGRES_PORT", _integer(1, 65535), 5432, "its port"),
    Key("POSTGRES_USER", str, "postgres", "its user"),
    Key("POSTGRES_PASSWORD", str, "", "the user's password, as it is (no URL quoting)"),
    Key("POSTGRES_DB", str, "andamio", "the database's name"),
    Key("DATABASE_POOL_SIZE", _integer(1, 1000), 5, "connections that each process keeps open"),
    Key("DATABASE_POOL_OVERFLOW", _integer(0, 1000), 10, "connections above that, closed again after use"),
    Key("DATABASE_TIMEOUT_SECONDS", _integer(1, 600), 5, "how long to wait for a connection or a lock, in seconds"),
    Key(
        "TRUSTED_HOSTS",
        _list,
        {"development": LOOPBACK, "testing": LOOPBACK},
        "host names that are answered, comma-separated; `.example.org` takes its subdomains too; "
        "loopback only in development, any in production",
    ),
    Key(
        "HTTPS",
        _boolean,
        {"development": False, "testing": False, "production": True},
        "whether the site is reached by https: cookies then travel by https only; true in production",
    ),
    Key(
        "PROXY_HOPS",
        _integer(0, 10),
        0,
        "proxies in front (one nginx: 1) of which each adds to `X-Forwarded-For` and sets `X-Forwarded-Proto`; "
        "with none these headers are not believed",
    ),
    Key(
        "HSTS_SECONDS",
        _integer(0, 10**9),
        {"development": 0, "testing": 0, "production": 31_536_000},
        "for how long browsers reach the site by https only, once they have seen it; a year in production, 0 for not",
    ),
    Key("HSTS_SUBDOMAINS", _boolean, False, "whether that counts for all names below the site's too"),
    Key("MAX_BODY_BYTES", _integer(1024, 10**10), 1024 * 1024, "largest request body, in bytes"),
    Key(
        "CORS_ORIGINS",
        _origins,
        {"development": LOCAL_ORIGINS, "testing": [], "production": []},
        "origins (`https://www.example.org`) whose pages may call the APIs, comma-separated; `*` for all, `none`; "
        "pages of this machine in development, none in production",
    ),
    Key("CORS_ORIGINS_<BLUEPRINT>", _origins, None, "the same for the API of one blueprint, instead of `CORS_ORIGINS`"),
    Key(
        "REDIS_URL",
        _redis,
        None,
        "`redis://…` or `rediss://…`, where the counters of limits are; without it each process counts for itself",
        is_secret=True,
    ),
    Key(
        "SESSION_STORE",
        _one_of("database", "redis"),
        "database",
        "where it is kept who is signed in: `database`, or `redis` at `REDIS_URL`, which must not evict keys then",
    ),
    Key(
        "SESSION_IDLE_HOURS",
        _integer(1, 24 * 400),
        14 * 24,
        "hours after which who does nothing is signed out; two weeks",
    ),
    Key(
        "SESSION_MAX_HOURS",
        _integer(1, 24 * 400),
        30 * 24,
        "hours after which everybody has to sign in again; thirty days",
    ),
    Key("RATE_LIMITS", _boolean, True, "whether the limits of the APIs count; false for a load test"),
    Key(
        "ACCOUNTS_REGISTRATION",
        _boolean,
        {"development": True, "testing": True, "production": False},
        "whether visitors may make themselves an account; false in production",
    ),
    Key(
        "ACCOUNTS_CONFIRM",
        _boolean,
        True,
        "whether who registers must follow a link in a mail before signing in, so that the address is theirs",
    ),
    Key(
        "ACCOUNTS_TOTP",
        _boolean,
        True,
        "whether people may add codes of an authenticator app to their password; false switches off those that "
        "there are",
    ),
    Key(
        "ACCOUNTS_PASSKEYS",
        _boolean,
        True,
        "whether people may sign in with passkeys, or add one to their password; false switches off those that "
        "there are",
    ),
    Key(
        "MAIL_URL",
        _mail,
        {"development": ["console:", "folder:instance/mail"], "testing": ["memory:"]},
        "how mails are sent: `smtp://user:password@host:587` (with STARTTLS), `smtps://…`, `console:`, `folder:PATH`; "
        "several comma-separated; console and `instance/mail` in development, none in production",
        is_secret=True,
    ),
    Key("MAIL_SENDER", _sender, None, "whom mails are from: `Andamio <no-reply@example.org>`"),
    Key("LOG_LEVEL", _one_of(*LOG_LEVELS), "INFO", "`DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`"),
    Key(
        "LOG_FORMAT",
        _one_of("text", "json"),
        {"development": "text", "testing": "text", "production": "json"},
        "`text` for a terminal or `json`, one object a line; json in production",
    ),
    Key("HOST", str, "127.0.0.1", "address of the development server"),
    Key("PORT", _integer(1, 65535), 5000, "port of the development server"),
)


def load(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the checked configuration of this deployment.

    :param environ: the variables; by default the process's, with ``.env`` beneath them. ``.env``
        is not read in testing, so that a developer's database is out of a test's reach.
    :raises ConfigError: naming every fault at once
    """
    faults: list[str] = []
    if environ is None:
        environ = variables(faults)
    values = _parse(environ, faults)
    url = _database(values, faults)
    if values["SESSION_STORE"] == "redis" and not values["REDIS_URL"]:
        faults.append("SESSION_STORE is redis, and REDIS_URL is missing: set it, or write SESSION_STORE=database")
    faults += _link_faults(values)
    if values["APP_ENV"] == "production":
        faults += _production_faults(values, environ, url)
    if values["APP_ENV"] == "testing" and url is not None and not _is_disposable(url):
        faults.append(
            f"DATABASE_URL names {url.database!r}: tests only touch a database called test_… or "
            "…_test, or a SQLite file in the system's temporary folder"
        )
    if faults or url is None:
        raise ConfigError(faults)
    return _for_flask(values, url)


def variables(faults: list[str] | None = None) -> dict[str, str]:
    """Return the process's variables, with those of ``.env`` beneath them, but not in testing.

    :param faults: takes what is wrong with ``.env``
    """
    read = {} if os.environ.get("APP_ENV") == "testing" else _dotenv([] if faults is None else faults)
    return {**read, **os.environ}


def _dotenv(faults: list[str]) -> dict[str, str]:
    path = ROOT / ".env"
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8") as file:
        broken = [binding.original.line for binding in parse_stream(file) if binding.error]
    faults += [f".env, line {line} cannot be read: write NAME=value, values with spaces in quotes" for line in broken]
    return {key: value for key, value in dotenv_values(path).items() if value is not None}


def _parse(environ: Mapping[str, str], faults: list[str]) -> dict[str, Any]:
    # An empty variable counts as not set: that is how compose files and .env.example leave one open.
    environment = environ.get("APP_ENV") or "development"
    values: dict[str, Any] = {}
    for key in KEYS:
        for name in key.names(environ):
            try:
                values[name] = key.value(environ.get(name) or None, environment.lower())
            except ValueError as error:
                what = "cannot be used" if key.is_secret else f"is {environ[name]!r}"
                faults.append(f"{name} {what}: {error}")
                values[name] = key.value(None, environment)
    return values


def _database(values: Mapping[str, Any], faults: list[str]) -> URL | None:
    text = values["DATABASE_URL"]
    if text is None and values["POSTGRES_HOST"]:
        return URL.create(
            DRIVERS["postgresql"],
            username=values["POSTGRES_USER"],
            password=values["POSTGRES_PASSWORD"] or None,
            host=values["POSTGRES_HOST"],
            port=values["POSTGRES_PORT"],
            database=values["POSTGRES_DB"],
        )
    try:
        url = make_url(text or f"sqlite:///{ROOT / 'instance' / 'andamio.db'}")
    except (ArgumentError, ValueError):
        # The value may hold a password: it is not repeated.
        faults.append(
            "DATABASE_URL cannot be read: write ENGINE://USER:PASSWORD@HOST:PORT/NAME, "
            "special characters percent-encoded"
        )
        return None
    url = url.set(drivername=DRIVERS.get(url.drivername, url.drivername))
    if url.get_backend_name() not in {"postgresql", "mysql", "mariadb", "sqlite"}:
        faults.append(f"DATABASE_URL is for {url.drivername!r}: use postgresql, mariadb, mysql or sqlite")
        return None
    try:
        url.get_dialect().import_dbapi()
    except (NoSuchModuleError, ImportError):
        faults.append(
            f"DATABASE_URL asks for the driver {url.drivername!r}, which is not installed: "
            f"write {url.get_backend_name()}://…, and the driver is chosen"
        )
        return None
    return _absolute(url)


def _absolute(url: URL) -> URL:
    """Hold a relative SQLite path to the project, so that it does not follow the current folder."""
    if url.get_backend_name() != "sqlite" or _is_memory(url) or str(url.database).startswith("file:"):
        return url
    return url.set(database=str(ROOT / str(url.database)))


def _is_memory(url: URL) -> bool:
    return url.database in (None, "", ":memory:")


def _is_disposable(url: URL) -> bool:
    name = url.database or ""
    if url.get_backend_name() == "sqlite":
        temporary = Path(tempfile.gettempdir()).resolve()
        return _is_memory(url) or Path(name).resolve().is_relative_to(temporary)
    return name.startswith("test_") or name.endswith("_test") or name == "test"


def _production_faults(values: Mapping[str, Any], environ: Mapping[str, str], url: URL | None) -> list[str]:
    faults = []
    for number, secret in enumerate([values["SECRET_KEY"], *values["SECRET_KEY_FALLBACKS"]]):
        name = "SECRET_KEY_FALLBACKS" if number else "SECRET_KEY"
        if not secret:
            faults.append(f"{name} is missing: set it to what `{MAKE_SECRET}` prints")
        elif len(secret) < 32 or len(set(secret)) < 10:
            faults.append(
                f"{name} is weak (under 32 characters, or few different ones): set it to what `{MAKE_SECRET}` prints"
            )
    faults += _mail_faults(values)
    if environ.get("FLASK_DEBUG", "").lower() not in ("", "0", "false", "no"):
        faults.append("FLASK_DEBUG is on: it shows the code to visitors; unset it, or set APP_ENV=development")
    if url is not None and url.get_backend_name() == "sqlite" and not _is_memory(url):
        fault = _unwritable(Path(str(url.database)))
        if fault:
            faults.append(f"DATABASE_URL: {fault}; give its folder to the user that runs the application")
    return faults


def _link_faults(values: Mapping[str, Any]) -> list[str]:
    # The links in mails are made from the Host header. What a developer's console shows may follow it.
    leave = values["APP_ENV"] == "production" or any(url.startswith("smtp") for url in values["MAIL_URL"] or ())
    if leave and values["MAIL_URL"] and not values["TRUSTED_HOSTS"]:
        return ["TRUSTED_HOSTS is missing: without it a visitor chooses where the links in mails lead"]
    return []


def _mail_faults(values: Mapping[str, Any]) -> list[str]:
    faults = []
    if values["MAIL_URL"] and not values["MAIL_SENDER"]:
        faults.append("MAIL_SENDER is missing: set it to the address that mails are from")
    if values["ACCOUNTS_REGISTRATION"] and values["ACCOUNTS_CONFIRM"] and not values["MAIL_URL"]:
        faults.append("MAIL_URL is missing: who registers gets a mail; set it, or ACCOUNTS_CONFIRM=false")
    return faults


MAKE_SECRET = 'python -c "import secrets; print(secrets.token_urlsafe(48))"'


def _unwritable(path: Path) -> str | None:
    for place in (path, path.parent):
        if place.exists() and not os.access(place, os.W_OK):
            return f"{place} cannot be written by this user"
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist"
    return None


def _for_flask(values: Mapping[str, Any], url: URL) -> dict[str, Any]:
    """Translate our keys into those that Flask and its extensions read."""
    return {
        **{name: values[name] for name in ("APP_ENV", "SECRET_KEY_FALLBACKS", "TRUSTED_HOSTS", "HTTPS")},
        **{name: values[name] for name in ("HSTS_SECONDS", "HSTS_SUBDOMAINS")},
        **{name: values[name] for name in ("LOG_LEVEL", "LOG_FORMAT", "HOST", "PORT")},
        **{name: values[name] for name in ("ACCOUNTS_REGISTRATION", "ACCOUNTS_CONFIRM")},
        **{name: values[name] for name in ("ACCOUNTS_TOTP", "ACCOUNTS_PASSKEYS")},
        "MAIL_URL": [_placed(address) for address in values["MAIL_URL"] or ()],
        "MAIL_SENDER": values["MAIL_SENDER"] or "no-reply@localhost",
        **{name: values[name] for name in ("PROXY_HOPS", "REDIS_URL", "RATE_LIMITS")},
        **{name: values[name] for name in ("SESSION_STORE", "SESSION_IDLE_HOURS", "SESSION_MAX_HOURS")},
        **{name: value for name, value in values.items() if name.startswith("CORS_ORIGINS")},
        "SECRET_KEY": values["SECRET_KEY"] or _local_secret(),
        "MAX_CONTENT_LENGTH": values["MAX_BODY_BYTES"],
        "MAX_FORM_MEMORY_SIZE": values["MAX_BODY_BYTES"],
        "MAX_FORM_PARTS": 1000,
        "PREFERRED_URL_SCHEME": "https" if values["HTTPS"] else "http",
        **_session_cookie(values),
        "SEND_FILE_MAX_AGE_DEFAULT": 3600 if values["APP_ENV"] == "production" else None,
        "SQLALCHEMY_DATABASE_URI": url,
        "SQLALCHEMY_ENGINE_OPTIONS": _engine_options(values, url),
        "BOOTSTRAP_SERVE_LOCAL": True,
        "WTF_CSRF_TIME_LIMIT": None,
    }


def _session_cookie(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        # A browser takes a cookie of this name only by https, for this host alone and for all of its paths: no
        # other host of the domain can plant one (RFC 6265bis, section 4.1.3.2).
        "SESSION_COOKIE_NAME": "__Host-session" if values["HTTPS"] else "session",
        "SESSION_COOKIE_PATH": "/",
        "SESSION_COOKIE_SECURE": values["HTTPS"],
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        # The record on the server has its own time-outs; the cookie is not written again at every request.
        "SESSION_REFRESH_EACH_REQUEST": False,
        "PERMANENT_SESSION_LIFETIME": timedelta(hours=values["SESSION_MAX_HOURS"]),
    }


def _placed(address: str) -> str:
    """Hold the folder of mails to the project, so that it does not follow the current one, and decode it."""
    scheme, _, path = address.partition(":")
    return f"folder:{ROOT / unquote(path)}" if scheme == "folder" else address


def _engine_options(values: Mapping[str, Any], url: URL) -> dict[str, Any]:
    seconds = values["DATABASE_TIMEOUT_SECONDS"]
    # The log of a statement that failed would tell what was to be stored: the hash of a password among it.
    hidden = {"hide_parameters": values["APP_ENV"] == "production"}
    if url.get_backend_name() == "sqlite":
        return {**hidden, "connect_args": {"timeout": seconds}}
    options: dict[str, Any] = {
        **hidden,
        "pool_size": values["DATABASE_POOL_SIZE"],
        "max_overflow": values["DATABASE_POOL_OVERFLOW"],
        "pool_timeout": seconds,
        "connect_args": {"connect_timeout": seconds},
    }
    if url.get_backend_name() in ("mysql", "mariadb"):
        options["connect_args"]["charset"] = "utf8mb4"
        options["pool_recycle"] = 1800
    return options


def _local_secret() -> str:
    """Make a random secret once and keep it, so that sessions outlive a restart on one machine."""
    path = ROOT / "instance" / "secret_key"
    try:
        path.parent.mkdir(exist_ok=True)
        with open(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    except OSError:
        return secrets.token_urlsafe(48)
    # A file that another process is just writing may still be empty.
    return path.read_text() or secrets.token_urlsafe(48)
