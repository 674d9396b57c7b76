"""The keys of the configuration, all of them: the platform's, and those that modules offer in ``keys.py``.

.. code-block:: python

    KEYS = (Key("SHOP_CURRENCY", one_of("EUR", "USD"), "EUR", "what prices are in"),)
"""

import re
from collections.abc import Mapping
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from flask import Flask

import config
from config import ROOT
from config import ConfigError
from config import Key
from config import Part
from config import variables
from config import words

from . import faults
from . import unknown_variables
from .http import keys as http
from .modules import Module
from .modules import ModuleError
from .serving import keys as serving

#: What parts of the core read beside what every process must know.
CORE = (Part(http.KEYS), Part(serving.KEYS))

#: What a module of operations may know of the configuration beside its own keys.
__all__ = ["ROOT", "ConfigError", "Key", "complete", "known", "load", "variables", "warn", "words"]

_NAME = re.compile(r"[A-Z][A-Z0-9_]*(<[A-Z]+>)?")


def load(modules: Sequence[Module], environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the checked configuration of a deployment with these modules.

    :param environ: the variables; see :func:`config.load`
    :raises config.ConfigError: naming every fault at once
    :raises ModuleError: if a module's keys cannot be used
    """
    return config.load(environ, parts(modules))


def warn(app: Flask, modules: Sequence[Module]) -> None:
    """Log the variables that look like ours and are not; a test's process has a developer's."""
    if app.config["APP_ENV"] != "testing":
        for variable in unknown_variables.find_unknown(known(modules)):
            app.logger.warning("%s %s", variable.message, variable.hint)


def complete(modules: Sequence[Module], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with the defaults of the keys that it leaves out, those of every process apart."""
    keys = [key for part in parts(modules) for key in part.keys if not key.is_family]
    return {key.name: key.value(None, given["APP_ENV"]) for key in keys if key.name not in given} | dict(given)


def known(modules: Sequence[Module]) -> list[Key]:
    """Return every key that a deployment with these modules has."""
    return [*config.KEYS, *(key for part in parts(modules) for key in part.keys)]


def parts(modules: Sequence[Module]) -> list[Part]:
    """Return what the core and the modules read beside :data:`config.KEYS`.

    :raises ModuleError: if a key has no name of its module's, or one that is taken
    """
    owners = dict.fromkeys(Flask.default_config, "Flask")
    owners |= dict.fromkeys([key.name for key in known(())] if modules else (), "the platform")
    found = list(CORE)
    for module in modules:
        file = _file(module)
        if file is not None:
            found.append(Part(_keys(module, file), getattr(file, "faults", Part.faults)))
            _own(module, file, owners)
    return found


def _file(module: Module) -> ModuleType | None:
    try:
        return module.file("keys")
    except Exception as error:
        raise ModuleError(f"The keys of module {module.name!r} cannot be read. {faults.describe(error)}") from error


def _keys(module: Module, file: ModuleType) -> Sequence[Key]:
    keys = getattr(file, "KEYS", None)
    if not isinstance(keys, list | tuple) or not all(isinstance(key, Key) for key in keys):
        raise ModuleError(f"{module.name}.keys has no KEYS: write KEYS = (Key(…),), with `from config import Key`.")
    return keys


def _own(module: Module, file: ModuleType, owners: dict[str, str]) -> None:
    """Note down the owner of the keys, so that no other module has them."""
    prefixes = getattr(file, "PREFIXES", (module.label.upper(),))
    for key in file.KEYS:
        if not _NAME.fullmatch(key.name) or not key.name.startswith(tuple(f"{prefix}_" for prefix in prefixes)):
            raise ModuleError(
                f"Module {module.name!r} has a key {key.name!r}: begin it with {' or '.join(prefixes)} and _, "
                "in capital letters."
            )
        if key.name in owners:
            raise ModuleError(
                f"Module {module.name!r} has a key {key.name!r}, which {owners[key.name]} has as well: "
                "give it another name."
            )
        owners[key.name] = f"module {module.name!r}"
