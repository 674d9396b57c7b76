"""The tables that migrations are for: those of the installed modules, and the core's, and no others."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from alembic.script import ScriptDirectory
from sqlalchemy.types import TypeDecorator
from sqlalchemy.types import TypeEngine

from services import NAMING_CONVENTION
from services import db

from .. import modules
from ..api.idempotency import idempotency_keys
from ..data import inventory
from ..modules import Module

#: The tables of the core itself, which are there whatever is installed.
CORE_TABLES = {idempotency_keys.name: "core"}

DIALECTS = [sa.make_url(f"{name}://").get_dialect()() for name in ("sqlite", "postgresql", "mysql", "mariadb")]


class Tables:
    """The tables of the installed modules, copied into one MetaData.

    There a foreign key to another base's table is found by its name, and tables are sorted by what they need.

    :param history: the earlier revisions; each notes the module of the tables that it makes
    """

    def __init__(self, installed: Sequence[Module], history: ScriptDirectory) -> None:
        self.installed = installed
        self.history = history
        self.labels = {module.label for module in installed} | {*CORE_TABLES.values()}
        #: The names of tables that are in a model or in the database, and no installed module's.
        self.left_alone: set[str] = set()
        self.metadata = self._merge()

    def _merge(self) -> sa.MetaData:
        merged = sa.MetaData(naming_convention=NAMING_CONVENTION)
        found = {id(db.metadata): db.metadata}
        for module in self.installed:
            found |= {id(metadata): metadata for metadata in modules.metadatas(module)}
        for metadata in found.values():
            if metadata.info.get("bind_key") is not None:
                continue  # lies in another database
            for table in metadata.tables.values():
                if table.name in self.owners:
                    _copy(table, merged)
                else:
                    self.left_alone.add(table.name)
        return merged

    @cached_property
    def owners(self) -> dict[str, str]:
        """The label of the installed module, or ``core``, that declares each table."""
        return inventory.owners(self.installed, CORE_TABLES)

    @cached_property
    def recorded(self) -> dict[str, str]:
        """The label of the module of each table that a revision ever made."""
        found: dict[str, str] = {}
        for script in reversed(list(self.history.walk_revisions())):
            found |= getattr(script.module, "tables", {})
        return found

    def is_ours(self, name: str) -> bool:
        """Return whether a table of the database is, or was, an installed module's; note it if not.

        Modules that are not installed are known from the revisions: without them ``api`` would
        seem to be the owner of ``api_keys_token``.
        """
        known = self.labels | set(self.recorded.values())
        if name in self.metadata.tables:
            return True
        if (self.recorded.get(name) or inventory.longest_prefix(name, known)) in self.labels:
            return True
        self.left_alone.add(name)
        return False


def _copy(table: sa.Table, metadata: sa.MetaData) -> None:
    copied = table.to_metadata(metadata)
    # A revision would write out the `info` of a table, whatever objects it has.
    copied.info = {} if inventory.is_migrated(table) else {"migrated": False}
    for column in copied.columns:
        column.type = plain_type(column.type)


def plain_type(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the SQLAlchemy type that makes the same column on every engine as this project's decorator.

    So a revision imports nothing from this project.
    """
    if not isinstance(type_, TypeDecorator) or type(type_).__module__.startswith("sqlalchemy."):
        return type_
    found = plain_type(type_.impl_instance)
    for dialect in DIALECTS:
        if type_.compile(dialect) != found.compile(dialect):
            found = found.with_variant(plain_type(type_.load_dialect_impl(dialect)), dialect.name)
    return found
