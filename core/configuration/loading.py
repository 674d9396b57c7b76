"""The settings of a deployment, read from the process, ``.env`` and files of secrets, and checked as a whole."""

import os
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from . import databases
from . import environments
from .flask_values import flask_values
from .flask_values import passed_on
from .settings import ConfigError
from .settings import Group
from .settings import Setting


def load(
    settings: Sequence[Setting], groups: Sequence[Group], environ: Mapping[str, str] | None, root: Path
) -> dict[str, Any]:
    """Return what ``app.config`` holds; see :func:`config.load`.

    :param settings: those of the platform
    :param groups: the settings of modules
    :param root: the folder of the project
    :raises ConfigError: naming every fault at once
    """
    faults: list[str] = []
    if environ is None:
        environ = variables(root, faults)
    platform = read(settings, environ, root, faults)
    url = databases.database_url(platform, root, faults)
    faults += environments.find_faults(platform, environ, url)
    others = read([setting for group in groups for setting in group.settings], environ, root, faults)
    values = {**platform, **others}
    faults += [fault for group in groups for fault in group.faults(values)]
    if faults or url is None:
        raise ConfigError(faults)
    return {**passed_on(values), **flask_values(platform, url, root)}


def variables(root: Path, faults: list[str] | None = None) -> dict[str, str]:
    """Return the variables of the process, above those of ``.env``, which is not read in testing.

    :param root: the folder of the project
    :param faults: takes what is wrong with ``.env``
    """
    return {**dotenv(root, faults), **os.environ}


def dotenv(root: Path, faults: list[str] | None = None) -> dict[str, str]:
    """Return the variables that ``.env`` sets, none in testing.

    :param root: the folder of the project
    :param faults: takes what is wrong with the file
    """
    path = root / ".env"
    if os.environ.get("APP_ENV") == "testing" or not path.is_file():
        return {}
    with path.open(encoding="utf-8") as file:
        broken = [binding.original.line for binding in parse_stream(file) if binding.error]
    if faults is not None:
        faults += [
            f".env, line {line} cannot be read: write NAME=value, values with spaces in quotes" for line in broken
        ]
    return {key: value for key, value in dotenv_values(path).items() if value is not None}


def read(settings: Iterable[Setting], environ: Mapping[str, str], root: Path, faults: list[str]) -> dict[str, Any]:
    """Return the value of each setting; the default of one that cannot be read.

    :param root: the folder of the project, which relative paths of secrets are in
    :param faults: takes what cannot be read
    """
    # An empty variable counts as not set: that is how compose files and .env.example leave one open.
    named = (environ.get("APP_ENV") or "").lower()
    environment = named if named in environments.ENVIRONMENTS else "development"
    values: dict[str, Any] = {}
    for setting in settings:
        for name in setting.names(environ):
            text = _secret(name, environ, root, faults) if setting.is_secret else environ.get(name)
            try:
                values[name] = setting.value(text or None, environment)
            except ValueError as error:
                what = "cannot be used" if setting.is_secret else f"is {text!r}"
                faults.append(f"{name} {what}: {error}")
                values[name] = setting.value(None, environment)
    return values


def _secret(name: str, environ: Mapping[str, str], root: Path, faults: list[str]) -> str | None:
    """Return a secret, which a file may hold instead: Docker, Kubernetes and systemd provide secrets as files."""
    text, path = environ.get(name), environ.get(f"{name}_FILE")
    if not path:
        return text
    if text:
        faults.append(f"{name} and {name}_FILE are both set: unset one of them")
        return text
    try:
        # Editors and `echo` end a file with a line break.
        text = (root / path).read_text("utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        faults.append(f"{name}_FILE names {path!r}, which cannot be read ({reason}): correct it, or let this user read")
        return None
    if not text:
        faults.append(f"{name}_FILE names {path!r}, which is empty: write the secret there")
    return text
