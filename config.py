"""How this deployment is set: read from the environment and ``.env``, checked as a whole.

:data:`KEYS` is what every process has to know. What else there is, parts of the core and modules
bring themselves (:mod:`core.keys`). :func:`load` answers with what Flask and its extensions read
from ``app.config``.
"""

import ipaddress
import os
import re
import secrets
import tempfile
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

    :param faults: one sentence per fault, naming the key, what is wrong and how to fix it
    """

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("the configuration cannot be used:\n" + "\n".join(f"  - {f}" for f in faults))


# --- what a variable may hold -------------------------------------------------------------------


def boolean(text: str) -> bool:
    """Read true or false, as people write them."""
    values = {"1": True, "true": True, "yes": True, "on": True}
    values |= {"0": False, "false": False, "no": False, "off": False}
    if text.lower() not in values:
        raise ValueError("write true or false")
    return values[text.lower()]


def integer(low: int, high: int) -> Callable[[str], int]:
    """Return what reads a whole number within these limits."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise ValueError(f"write a whole number from {low} to {high}")
        return int(text)

    return parse


def one_of(*choices: str) -> Callable[[str], str]:
    """Return what reads one of these words, in any case."""

    def parse(text: str) -> str:
        for word in choices:
            if text.lower() == word.lower():
                return word
        raise ValueError(f"write one of {', '.join(choices)}")

    return parse


def words(text: str) -> list[str]:
    """Read a list that is separated by commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


#: A label of a name in DNS: letters, digits and hyphens (RFC 1123, section 2.1).
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_HOST_AND_PORT = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?")


class _Address(str):
    """An IPv6 address among trusted hosts: werkzeug 3.1 cuts each of them at its first colon, to drop a port."""

    def partition(self, separator: str) -> tuple[str, str, str]:
        return str(self), "", ""


def host_name(text: str) -> str:
    """Read the name or address of a host as browsers send it: in small letters, other scripts as ``xn--…``."""
    if text.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(text[1:].removesuffix(']'))}]"
        except ValueError:
            raise ValueError(f"{text!r} is no IPv6 address: write one like [2001:db8::1]") from None
    if "_" in text:
        raise ValueError(
            f"{text!r} has an underscore, which no host name may have (RFC 1123): give the server a name with a "
            "hyphen, and write that"
        )
    try:
        name = text.encode("idna").decode().lower()
    except UnicodeError:
        name = ""
    if len(name) > 253 or not _HOST_NAME.fullmatch(name):
        raise ValueError(
            f"{text!r} is no host name: write one like www.example.org, without a scheme, a path, a pattern or a dot "
            "at the end"
        )
    return name


def host_and_port(text: str) -> tuple[str, str]:
    """Read the name of a host, and the port after it with its colon, which may be left out."""
    found = _HOST_AND_PORT.fullmatch(text)
    if not found or not 0 < int(found[2] or 1) < 65536:
        raise ValueError(f"{text!r} is no host name: write HOST or HOST:PORT, an IPv6 address as [2001:db8::1]")
    return host_name(found[1]), f":{int(found[2])}" if found[2] else ""


def trusted_hosts(text: str) -> list[str]:
    """Read the names that are answered; one that begins with a dot takes its subdomains too."""
    found = []
    for word in words(text):
        if word.startswith("*."):
            raise ValueError(f"{word!r} is a pattern: write {word[1:]}, which takes its subdomains too")
        name, port = host_and_port(word.removeprefix("."))
        dot = "." if word.startswith(".") else ""
        found.append(_Address(name) if name.startswith("[") else f"{dot}{name}{port}")
    return found


def listening_host(text: str) -> str:
    """Read where to listen: an address, or a name of this machine, which may be a container's."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        if not re.fullmatch(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?", text):
            raise ValueError("write an address or a name of this machine, without a scheme or a port") from None
    return text


@dataclass(frozen=True)
class Key:
    """One variable of the environment, or a family of them, ``NAME_<WHAT>``.

    :param parse: reads the text; raises ValueError with the hint, ``write …``, where it cannot
    :param default: the value, or one for each environment, where the variable is not set; a text is read like one
    :param doc: what it is, for the README and ``.env.example``
    :param is_secret: whether no message may repeat the value, and ``NAME_FILE`` may name a file that holds it
    """

    name: str
    parse: Callable[[str], Any]
    default: Any
    doc: str
    is_secret: bool = False

    @property
    def is_family(self) -> bool:
        """Whether it stands for all variables that begin alike."""
        return "<" in self.name

    def names(self, environ: Mapping[str, str]) -> list[str]:
        """Return the variables that are meant: of a family, those that are set."""
        prefix, family, _ = self.name.partition("<")
        if not family:
            return [self.name]
        return sorted(name for name, text in environ.items() if text and name.startswith(prefix) and name != prefix)

    def value(self, text: str | None, environment: str) -> Any:
        if text is not None:
            return self.parse(text)
        default = self.default.get(environment) if isinstance(self.default, dict) else self.default
        return self.parse(default) if isinstance(default, str) else default


def _no_faults(values: Mapping[str, Any]) -> Iterable[str]:
    return ()


@dataclass(frozen=True)
class Part:
    """Keys of a part of the platform, or of a module.

    :param faults: says what does not fit together, of the values of all keys
    """

    keys: Sequence[Key]
    faults: Callable[[Mapping[str, Any]], Iterable[str]] = _no_faults


#: Names under which a developer's machine answers. In development no other host is served, so a
#: deployment that forgot to set APP_ENV says so at its first request instead of running unsafely.
LOOPBACK = ["localhost", ".localhost", "127.0.0.1", _Address("[::1]")]

KEYS = (
    Key("APP_ENV", one_of(*ENVIRONMENTS), "development", "`development`, `testing` or `production`"),
    Key(
        "SECRET_KEY",
        str,
        None,
        "signs sessions and form tokens; needed in production (at least 32 characters), "
        "made and kept in `instance/` elsewhere",
        is_secret=True,
    ),
    Key(
        "SECRET_KEY_FALLBACKS",
        words,
        [],
        "earlier secrets, comma-separated, still accepted while they are rotated out",
        is_secret=True,
    ),
    Key(
        "DATABASE_URL",
        str,
        None,
        "`postgresql://…`, `mariadb://…` or `sqlite:///…`; without it and without `POSTGRES_HOST`, "
        "`instance/andamio.db` (SQLite)",
        is_secret=True,
    ),
    Key("POSTGRES_HOST", str, None, "instead of `DATABASE_URL`: the server's name"),
    Key("POSTGRES_PORT", integer(1, 65535), 5432, "its port"),
    Key("POSTGRES_USER", str, "postgres", "its user"),
    Key("POSTGRES_PASSWORD", str, "", "the user's password, as it is (no URL quoting)", is_secret=True),
    Key("POSTGRES_DB", str, "andamio", "the database's name"),
    Key("DATABASE_POOL_SIZE", integer(1, 1000), 5, "connections that each process keeps open"),
    Key("DATABASE_POOL_OVERFLOW", integer(0, 1000), 10, "connections above that, closed again after use"),
    Key("DATABASE_TIMEOUT_SECONDS", integer(1, 600), 5, "how long to wait for a connection or a lock, in seconds"),
    Key(
        "DATABASE_STATEMENT_SECONDS",
        integer(0, 3600),
        10,
        "how long a request waits for one statement, in seconds, before it is answered with 503; 0 for ever",
    ),
    Key(
        "DATABASE_COMMENTS",
        one_of("none", "route", "request"),
        "none",
        "whether statements say what they are for, in the database's own logs: `route`, `request` (with the request's "
        "id too, so that none is prepared twice), or `none`",
    ),
    Key(
        "TRUSTED_HOSTS",
        trusted_hosts,
        {"development": LOOPBACK, "testing": LOOPBACK},
        "host names that are answered, comma-separated; `.example.org` takes its subdomains too, `example.org:8443` "
        "says the port of links; loopback only in development, any in production",
    ),
    Key(
        "HTTPS",
        boolean,
        {"development": False, "testing": False, "production": True},
        "whether the site is reached by https: cookies then travel by https only; true in production",
    ),
    Key(
        "PROXY_HOPS",
        integer(0, 10),
        0,
        "proxies in front (one nginx: 1) of which each adds to `X-Forwarded-For` and sets `X-Forwarded-Proto`; "
        "with none these headers are not believed",
    ),
    Key("MAX_BODY_BYTES", integer(1024, 10**10), 1024 * 1024, "largest request body, in bytes"),
    Key("LOG_LEVEL", one_of(*LOG_LEVELS), "INFO", "`DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`"),
    Key(
        "LOG_FORMAT",
        one_of("text", "json"),
        {"development": "text", "testing": "text", "production": "json"},
        "`text` for a terminal or `json`, one object a line; json in production",
    ),
    Key(
        "HOST",
        listening_host,
        "127.0.0.1",
        "address that is listened on; gunicorn's is `0.0.0.0` in production where `PORT` is set, as platforms expect",
    ),
    Key("PORT", integer(1, 65535), 5000, "port that is listened on; without it gunicorn's is 8000"),
)


def load(environ: Mapping[str, str] | None = None, parts: Sequence[Part] = ()) -> dict[str, Any]:
    """Return the checked configuration of this deployment.

    :param environ: the variables; by default the process's, with ``.env`` beneath them. ``.env``
        is not read in testing, so that a developer's database is out of a test's reach.
    :param parts: whose keys are read beside :data:`KEYS`
    :raises ConfigError: naming every fault at once
    """
    faults: list[str] = []
    if environ is None:
        environ = variables(faults)
    values = _parse(KEYS, environ, faults)
    faults += _environment_faults(environ)
    url = _database(values, faults)
    if values["APP_ENV"] == "production":
        faults += _production_faults(values, environ, url)
    if values["APP_ENV"] == "testing" and url is not None and not _is_disposable(url):
        faults.append(
            f"DATABASE_URL names {url.database!r}: tests only touch a database called test_… or "
            "…_test, or a SQLite file in the system's temporary folder"
        )
    others = _parse([key for part in parts for key in part.keys], environ, faults)
    faults += [fault for part in parts for fault in part.faults({**values, **others})]
    if faults or url is None:
        raise ConfigError(faults)
    return {**others, **_for_flask(values, url)}


def variables(faults: list[str] | None = None) -> dict[str, str]:
    """Return the process's variables, with those of ``.env`` beneath them, but not in testing.

    :param faults: takes what is wrong with ``.env``
    """
    return {**dotenv(faults), **os.environ}


def dotenv(faults: list[str] | None = None) -> dict[str, str]:
    """Return the variables that ``.env`` sets, none in testing.

    :param faults: takes what is wrong with the file
    """
    path = ROOT / ".env"
    if os.environ.get("APP_ENV") == "testing" or not path.is_file():
        return {}
    with path.open(encoding="utf-8") as file:
        broken = [binding.original.line for binding in parse_stream(file) if binding.error]
    if faults is not None:
        faults += [
            f".env, line {line} cannot be read: write NAME=value, values with spaces in quotes" for line in broken
        ]
    return {key: value for key, value in dotenv_values(path).items() if value is not None}


#: What other platforms call the environment; who sets one of them to production means APP_ENV.
ENVIRONMENT_NAMES = ("FLASK_ENV", "FLASK_CONFIG", "APP_ENVIRONMENT", "APPENV", "FLASK_APP_ENV")


def _environment_faults(environ: Mapping[str, str]) -> Iterable[str]:
    """Refuse to start in development where production was meant: errors would show code, cookies travel in clear."""
    for name in ENVIRONMENT_NAMES:
        if not environ.get("APP_ENV") and environ.get(name, "").lower() in ("production", "prod"):
            yield (
                f"{name} is {environ[name]!r}, and not read: without APP_ENV this is development; "
                "set APP_ENV=production, and remove it"
            )


def _parse(keys: Iterable[Key], environ: Mapping[str, str], faults: list[str]) -> dict[str, Any]:
    # An empty variable counts as not set: that is how compose files and .env.example leave one open.
    named = (environ.get("APP_ENV") or "").lower()
    environment = named if named in ENVIRONMENTS else "development"
    values: dict[str, Any] = {}
    for key in keys:
        for name in key.names(environ):
            text = _read(name, environ, faults) if key.is_secret else environ.get(name)
            try:
                values[name] = key.value(text or None, environment)
            except ValueError as error:
                what = "cannot be used" if key.is_secret else f"is {text!r}"
                faults.append(f"{name} {what}: {error}")
                values[name] = key.value(None, environment)
    return values


def _read(name: str, environ: Mapping[str, str], faults: list[str]) -> str | None:
    """Return a secret, which may stand in a file instead: so Docker, Kubernetes and systemd hand one out."""
    text, path = environ.get(name), environ.get(f"{name}_FILE")
    if not path:
        return text
    if text:
        faults.append(f"{name} and {name}_FILE are both set: unset one of them")
        return text
    try:
        # Editors and `echo` end a file with a line break.
        text = (ROOT / path).read_text("utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        faults.append(f"{name}_FILE names {path!r}, which cannot be read ({reason}): correct it, or let this user read")
        return None
    if not text:
        faults.append(f"{name}_FILE names {path!r}, which is empty: write the secret there")
    return text


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
    if url.port is not None and not 0 < url.port < 65536:
        faults.append(f"DATABASE_URL has the port {url.port}: write one from 1 to 65535")
        return None
    if url.get_backend_name() == "sqlite" and url.host:
        faults.append("DATABASE_URL names a SQLite file after two slashes: write sqlite:///FILE, with three")
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
        if not secret and environ.get(f"{name}_FILE"):
            # What keeps it from being read is told already.
            continue
        if not secret:
            faults.append(f"{name} is missing: set it to what `{MAKE_SECRET}` prints")
        elif len(secret) < 32 or len(set(secret)) < 10:
            faults.append(
                f"{name} is weak (under 32 characters, or few different ones): set it to what `{MAKE_SECRET}` prints"
            )
    if environ.get("FLASK_DEBUG", "").lower() not in ("", "0", "false", "no"):
        faults.append("FLASK_DEBUG is on: it shows the code to visitors; unset it, or set APP_ENV=development")
    if url is not None and url.get_backend_name() == "sqlite" and not _is_memory(url):
        fault = _unwritable(Path(str(url.database)))
        if fault:
            faults.append(f"DATABASE_URL: {fault}; give its folder to the user that runs the application")
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
        **{name: values[name] for name in ("PROXY_HOPS", "LOG_LEVEL", "LOG_FORMAT", "HOST", "PORT")},
        "DATABASE_COMMENTS": values["DATABASE_COMMENTS"],
        "SECRET_KEY": values["SECRET_KEY"] or _local_secret(),
        "MAX_CONTENT_LENGTH": values["MAX_BODY_BYTES"],
        "MAX_FORM_MEMORY_SIZE": values["MAX_BODY_BYTES"],
        "MAX_FORM_PARTS": 1000,
        "PREFERRED_URL_SCHEME": "https" if values["HTTPS"] else "http",
        **_session_cookie(values),
        "SEND_FILE_MAX_AGE_DEFAULT": 3600 if values["APP_ENV"] == "production" else None,
        "SQLALCHEMY_DATABASE_URI": url,
        "DATABASE_STATEMENT_SECONDS": values["DATABASE_STATEMENT_SECONDS"],
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
    }


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
