"""Load the installed modules and find what they offer.

A module is a package with a Blueprint. Everything else that it brings is found by the name of
its file: ``models`` by the ORM and alembic, ``cli`` and ``menu`` by the core, other offers by the
feature modules that collect them with :func:`offers`.
"""

import importlib
import importlib.util
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType

from flask import Blueprint
from flask import Flask
from flask import current_app
from sqlalchemy import MetaData
from sqlalchemy import Table
from sqlalchemy.exc import InvalidRequestError

from . import faults
from .platform import platform_of


class ModuleError(Exception):
    """An installed module cannot be used; the message says which, why and what to do."""


@dataclass(frozen=True)
class Module:
    """One entry of ``INSTALLED_APPS``.

    :param name: as listed, ``app.example``
    :param label: its last part, ``example``: the prefix of its tables, the name of its templates
    """

    name: str
    package: ModuleType

    @property
    def label(self) -> str:
        return self.name.rpartition(".")[2]

    def file(self, name: str) -> ModuleType | None:
        """Import ``<module>.<name>``; ``None`` if there is no such file.

        An error inside the file is not swallowed: a broken file is not a missing one.
        """
        return importlib.import_module(f"{self.name}.{name}") if self.has(name) else None

    def has(self, name: str) -> bool:
        """Return whether there is a file of this name, without importing it."""
        return hasattr(self.package, "__path__") and importlib.util.find_spec(f"{self.name}.{name}") is not None


def load(names: Sequence[str]) -> list[Module]:
    """Import each package and its ``models``, in order: a relationship may name the models of all modules above.

    :raises ModuleError: if one cannot be imported, or two share a label or a table
    """
    modules: list[Module] = []
    for name in names:
        module = Module(name, _import(name))
        for other in modules:
            if other.label == module.label:
                raise ModuleError(
                    f"Modules {other.name!r} and {name!r} have the same label {module.label!r}: "
                    "rename one of the packages, or list only one."
                )
        _models(module)
        modules.append(module)
    _check_tables(modules)
    return modules


def importable(names: Sequence[str]) -> Iterator[Module]:
    """Yield those of these modules that can be imported, where an application cannot start with all of them."""
    for name in names:
        with suppress(ModuleError):
            yield Module(name, _import(name))


def register(app: Flask, modules: Sequence[Module]) -> None:
    """Register the blueprints of every module, in order.

    :raises ModuleError: if a module has none, or one with a name that is taken
    """
    owners: dict[str, str] = {}
    for module in modules:
        for blueprint in blueprints(module):
            if blueprint.name in owners:
                raise ModuleError(
                    f"Modules {owners[blueprint.name]!r} and {module.name!r} both have a Blueprint "
                    f"named {blueprint.name!r}: give one of them another name."
                )
            if blueprint.name in app.blueprints:
                raise ModuleError(
                    f"Module {module.name!r} has a Blueprint named {blueprint.name!r}, as the platform has: give it "
                    "another name."
                )
            owners[blueprint.name] = module.name
            app.register_blueprint(blueprint)
    platform_of(app).modules = list(modules)


def installed(app: Flask | None = None) -> list[Module]:
    """Return the modules of this application, by default the current one, in order."""
    found: list[Module] = platform_of(app or current_app).modules
    return found


def offers(app: Flask, name: str) -> Iterator[tuple[Module, ModuleType]]:
    """Yield ``(module, its file)`` for every installed module with a file of this name."""
    for module in installed(app):
        file = module.file(name)
        if file is not None:
            yield module, file


def blueprints(module: Module) -> list[Blueprint]:
    """Return the blueprints that this module defines, without those nested in another.

    :raises ModuleError: if there is none
    """
    own = {
        id(value): value
        for value in vars(module.package).values()
        if isinstance(value, Blueprint) and _is_within(value.import_name, module.name)
    }
    # Flask has no public way to ask a blueprint for those registered on it.
    nested = {id(child) for parent in own.values() for child, _ in parent._blueprints}
    found = [blueprint for key, blueprint in own.items() if key not in nested]
    if not found:
        raise ModuleError(
            f"Module {module.name!r} has no Blueprint: make one in "
            f"{module.name.replace('.', '/')}/__init__.py, `bp = Blueprint({module.label!r}, __name__)`."
        )
    return found


def describe(module: Module) -> tuple[str, str]:
    """Return a module's title and what it is, from its docstring's first line, ``title: text``."""
    title, _, text = (module.package.__doc__ or "").strip().partition("\n")[0].rpartition(": ")
    return title or module.label.capitalize(), text[:1].upper() + text[1:]


def metadatas(module: Module) -> list[MetaData]:
    """Return the MetaData that the module's ``models`` bring: the shared one or its own Base's."""
    models = _models(module)
    found: dict[int, MetaData] = {}
    for value in vars(models).values() if models else ():
        # Nothing else is asked: `current_app` cannot be, yet.
        known = value if isinstance(value, type | Table | MetaData) else None
        metadata = known if isinstance(known, MetaData) else getattr(known, "metadata", None)
        if isinstance(metadata, MetaData):
            found[id(metadata)] = metadata
    return list(found.values())


def _is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and _is_within(name, error.name):
            raise ModuleError(
                f"Module {name!r} in INSTALLED_APPS cannot be found: correct the name in "
                "settings.py, or install the package that has it."
            ) from error
        raise ModuleError(
            f"Module {name!r} cannot be imported, it needs {error.name!r}: install that, or correct the import "
            f"in {faults.place(error)}."
        ) from error
    except Exception as error:
        raise ModuleError(_explain(name, error)) from error


def _models(module: Module) -> ModuleType | None:
    try:
        return module.file("models")
    except Exception as error:
        raise ModuleError(_explain(module.name, error)) from error


def _explain(name: str, error: Exception) -> str:
    if isinstance(error, InvalidRequestError) and "already defined" in str(error):
        return f"Module {name!r} defines a table that another module has defined: {error} Name tables <module>_<noun>."
    return f"Module {name!r} cannot be imported. {faults.describe(error)}"


def _check_tables(modules: Sequence[Module]) -> None:
    owners: dict[str, MetaData] = {}
    for metadata in [metadata for module in modules for metadata in metadatas(module)]:
        for name in metadata.tables:
            known = owners.setdefault(name, metadata)
            if known is not metadata:
                first, second = (_definer(modules, each.tables[name]) for each in (known, metadata))
                raise ModuleError(
                    f"Modules {first!r} and {second!r} both define the table {name!r}: name tables <module>_<noun>."
                )


def _definer(modules: Sequence[Module], table: Table) -> str:
    """Return the module that a table is from; one MetaData holds the tables of many."""
    for module in modules:
        for value in vars(_models(module) or module.package).values():
            is_model = isinstance(value, type) and getattr(value, "__table__", None) is table
            if value is table or (is_model and _is_within(value.__module__, module.name)):
                return module.name
    return next(module.name for module in modules if table.metadata in metadatas(module))
