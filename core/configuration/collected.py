"""The settings of a deployment: those of the platform (``config.py``), and those that modules offer in ``settings.py``.

.. code-block:: python

    SETTINGS = (Setting("SHOP_CURRENCY", one_of("EUR", "USD"), "EUR", "the currency of prices"),)
"""

import re
from collections.abc import Mapping
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from flask import Flask

import config
from config import ROOT
from config import dotenv
from config import variables

from .. import faults
from ..modules import Module
from ..modules import ModuleError
from .flask_values import passed_on
from .settings import Group
from .settings import Setting

#: Beside the settings of a module, others may ask for these.
__all__ = ["ROOT", "complete", "dotenv", "groups", "known", "load", "variables"]

_NAME = re.compile(r"[A-Z][A-Z0-9_]*(<[A-Z]+>)?")


def load(modules: Sequence[Module], environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the checked configuration of a deployment with these modules.

    :param environ: the variables; see :func:`config.load`
    :raises ConfigError: naming every fault at once
    :raises ModuleError: if a module's settings cannot be used
    """
    return config.load(environ, groups(modules))


def complete(modules: Sequence[Module], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with the defaults of the settings that it leaves out."""
    defaults = {one.name: one.value(None, given["APP_ENV"]) for one in known(modules) if not one.is_family}
    return passed_on(defaults) | dict(given)


def known(modules: Sequence[Module]) -> list[Setting]:
    """Return every setting that a deployment with these modules has."""
    return [*config.SETTINGS, *(setting for group in groups(modules) for setting in group.settings)]


def groups(modules: Sequence[Module]) -> list[Group]:
    """Return the settings of the modules that offer some.

    :raises ModuleError: if a name does not begin with the module's, or is taken
    """
    owners = dict.fromkeys(Flask.default_config, "Flask")
    owners |= dict.fromkeys([setting.name for setting in config.SETTINGS], "the platform")
    found = []
    for module in modules:
        file = _file(module)
        if file is not None:
            found.append(Group(_settings(module, file), getattr(file, "faults", Group.faults)))
            _own(module, file, owners)
    return found


def _file(module: Module) -> ModuleType | None:
    try:
        return module.file("settings")
    except Exception as error:
        raise ModuleError(f"The settings of module {module.name!r} cannot be read. {faults.describe(error)}") from error


def _settings(module: Module, file: ModuleType) -> Sequence[Setting]:
    settings = getattr(file, "SETTINGS", None)
    if not isinstance(settings, list | tuple) or not all(isinstance(one, Setting) for one in settings):
        raise ModuleError(
            f"{module.name}.settings has no SETTINGS: write SETTINGS = (Setting(…),), "
            "with `from core.configuration import Setting`."
        )
    return settings


def _own(module: Module, file: ModuleType, owners: dict[str, str]) -> None:
    """Reserve the names of the settings, so that no other module has them."""
    prefixes = getattr(file, "PREFIXES", (module.label.upper(),))
    for setting in file.SETTINGS:
        name = setting.name
        if not _NAME.fullmatch(name) or not name.startswith(tuple(f"{prefix}_" for prefix in prefixes)):
            raise ModuleError(
                f"Module {module.name!r} has a setting {name!r}: begin it with {' or '.join(prefixes)} and _, "
                "in capital letters."
            )
        if name in owners:
            raise ModuleError(
                f"Module {module.name!r} has a setting {name!r}, which {owners[name]} has as well: "
                "give it another name."
            )
        owners[name] = f"module {module.name!r}"
