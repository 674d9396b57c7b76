"""Variables that look like a setting and are none: another platform's names, and misspelt ones.

What is in ``.env`` was written for this application, so more names are looked at there than in the environment of
the process, which has many that concern others. None counts whose counterpart is set.
"""

import difflib
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from core.configuration import Setting
from core.configuration import collected
from core.modules import Module

Names = Mapping[str, Sequence[str]]

#: The setting that is meant → what it is called elsewhere. Modules have more of them, ``ELSEWHERE`` of ``settings.py``.
ELSEWHERE = {
    "APP_ENV": ("FLASK_ENV", "FLASK_CONFIG", "APP_ENVIRONMENT", "APP_SETTINGS"),
    "SECRET_KEY": ("FLASK_SECRET_KEY", "APP_SECRET_KEY", "APP_SECRET", "APP_KEY", "SECRETKEY"),
    "DATABASE_URL": (
        *("SQLALCHEMY_DATABASE_URI", "SQLALCHEMY_DATABASE_URL", "FLASK_SQLALCHEMY_DATABASE_URI", "DATABASE_URI"),
        *("DB_URL", "DB_URI", "DB_HOST", "DB_PORT", "DB_NAME", "DB_USER", "DB_PASSWORD", "DATABASE_HOST"),
        *("POSTGRES_URL", "POSTGRESQL_URL", "MYSQL_URL", "MARIADB_URL"),
    ),
    "POSTGRES_DB": ("POSTGRES_DATABASE", "POSTGRES_NAME"),
    "TRUSTED_HOSTS": ("ALLOWED_HOSTS", "FLASK_SERVER_NAME", "FLASK_TRUSTED_HOSTS"),
    "SCRIPT_NAME": ("APPLICATION_ROOT", "FLASK_APPLICATION_ROOT"),
    "HTTPS": ("SESSION_COOKIE_SECURE", "PREFERRED_URL_SCHEME"),
    "MAX_BODY_BYTES": ("MAX_CONTENT_LENGTH", "FLASK_MAX_CONTENT_LENGTH"),
    "REDIS_URL": ("RATELIMIT_STORAGE_URI", "RATELIMIT_STORAGE_URL", "CACHE_REDIS_URL"),
    "RATE_LIMITS": ("RATELIMIT_ENABLED",),
    "WEB_CONCURRENCY": ("GUNICORN_WORKERS",),
}

#: Names that many programs use: they count in ``.env`` only.
COMMON = {
    "APP_ENV": ("ENV", "ENVIRONMENT", "DEBUG", "FLASK_DEBUG"),
    "SECRET_KEY": ("SECRET",),
    "TRUSTED_HOSTS": ("SERVER_NAME", "HOSTS"),
    "PORT": ("FLASK_RUN_PORT",),
    "HOST": ("FLASK_RUN_HOST",),
    "LOG_LEVEL": ("LOGLEVEL", "LOGGING_LEVEL"),
    "REDIS_URL": ("REDIS_HOST",),
    "WEB_CONCURRENCY": ("WORKERS",),
    "WEB_THREADS": ("THREADS",),
}

#: Shorter names are near to too many others.
SHORTEST = 6

#: How near a name has to be (`difflib`): `DATABSE_URL` is 0.96 near, `DATABASE_URL_TEST` 0.83.
NEAR, NEAR_IN_DOTENV = 0.85, 0.8


@dataclass(frozen=True)
class UnknownVariable:
    """A variable that is set and that no setting reads.

    :param meant: the setting that was probably meant
    :param place: where it is set
    """

    name: str
    meant: str
    place: str

    @property
    def message(self) -> str:
        """Return a sentence that names it."""
        return f"{self.name} is set in {self.place}, and is none of this platform's variables."

    @property
    def hint(self) -> str:
        """Return a sentence that says what to write."""
        return f"Set {self.meant}, and remove {self.name}."


def find_unknown(modules: Sequence[Module]) -> Iterator[UnknownVariable]:
    """Yield the variables of this process that were probably meant for it, and are not read.

    :param modules: those that are installed
    """
    known, elsewhere = collected.known(modules), names_elsewhere(modules)
    written, variables = collected.dotenv(), collected.variables()
    for name in sorted(name for name, text in variables.items() if text):
        meant = _meant(name, known, [elsewhere, COMMON] if name in written else [elsewhere])
        if meant and not _is_set(meant, variables):
            yield UnknownVariable(name, meant, ".env" if name in written else "the environment")


def names_elsewhere(modules: Sequence[Module]) -> Names:
    """Return what the settings of the platform and of these modules are called elsewhere."""
    files = [file for module in modules if (file := module.file("settings")) is not None]
    return {**ELSEWHERE, **{meant: names for file in files for meant, names in getattr(file, "ELSEWHERE", {}).items()}}


def _is_set(setting: str, variables: Mapping[str, str]) -> bool:
    # A database is named by either.
    names = (setting, f"{setting}_FILE", *(["POSTGRES_HOST"] if setting == "DATABASE_URL" else []))
    return any(variables.get(name) for name in names)


def _meant(name: str, known: Sequence[Setting], tables: Sequence[Names]) -> str | None:
    """Return the setting that was meant.

    :param tables: names elsewhere; with the common ones for what stands in ``.env``
    """
    if any(_is_read(name, one) for one in known):
        return None
    for aliases in tables:
        for meant, names in aliases.items():
            if name in names and any(one.name == meant for one in known):
                return meant
    singles = [one.name for one in known if not one.is_family]
    near = difflib.get_close_matches(name.upper(), singles, 1, NEAR_IN_DOTENV if COMMON in tables else NEAR)
    return near[0] if near and len(name) >= SHORTEST else None


def _is_read(name: str, setting: Setting) -> bool:
    if setting.is_family:
        return name.startswith(setting.name.partition("<")[0])
    return name == setting.name or (setting.is_secret and name == f"{setting.name}_FILE")
