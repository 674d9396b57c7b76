"""The tables of the installed modules, in the order in which their rows can be written."""

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import CompileError
from sqlalchemy.schema import sort_tables_and_constraints
from sqlalchemy.types import TypeEngine

from core import migrations
from core import modules
from core.data import inventory
from core.migrations import Tables
from core.migrations.tables import DIALECTS
from services import db

from .faults import TransferError
from .kinds import kind_of
from .kinds import moved


@dataclass(frozen=True)
class Source:
    """A table as its rows are carried: without what the database computes."""

    table: sa.Table
    owner: str
    dialect: Dialect

    @property
    def name(self) -> str:
        return self.table.name

    @cached_property
    def columns(self) -> list[sa.Column[Any]]:
        return [column for column in self.table.columns if column.computed is None]

    @cached_property
    def key(self) -> list[sa.Column[Any]]:
        return list(self.table.primary_key.columns)

    @cached_property
    def types(self) -> list[TypeEngine[Any]]:
        return [moved(column.type, list(DIALECTS)) for column in self.columns]

    @cached_property
    def kinds(self) -> dict[str, str]:
        pairs = zip(self.columns, self.types, strict=True)
        return {column.name: kind_of(type_, self.dialect) for column, type_ in pairs}

    def selected(self) -> list[Any]:
        """Return what to select, so that nothing is lost on the way out."""
        return [self._exact(column, type_) for column, type_ in zip(self.columns, self.types, strict=True)]

    def _exact(self, column: sa.Column[Any], type_: TypeEngine[Any]) -> Any:
        kind = self.kinds[column.name]
        if kind == "json":
            # As a text: numbers keep their digits, and JSON's null is not SQL's.
            is_native = self.dialect.name == "postgresql"
            return (sa.cast(column, sa.Text) if is_native else sa.type_coerce(column, sa.Text)).label(column.name)
        if kind == "single" and self.dialect.name in ("mysql", "mariadb"):
            # MariaDB shows six digits of a FLOAT, and all of a DOUBLE.
            return sa.type_coerce(column + sa.literal_column("0e0"), sa.Double).label(column.name)
        return sa.type_coerce(column, type_).label(column.name)


@dataclass(frozen=True)
class Catalog:
    """All tables that can be carried.

    :param sources: each after those that its rows refer to
    :param late: foreign keys that no order of tables satisfies: a table's to itself, and those of a ring
    """

    sources: list[Source]
    late: list[sa.ForeignKeyConstraint]

    def chosen(self, wanted_modules: Sequence[str], tables: Sequence[str]) -> list[Source]:
        """Return the tables of these modules, and these; without both, all.

        :raises TransferError: for one that is not there
        """
        owners = {source.owner for source in self.sources}
        _refuse_unknown("module with tables", wanted_modules, owners)
        _refuse_unknown("table of an installed module", tables, {source.name for source in self.sources})
        if not wanted_modules and not tables:
            return self.sources
        return [source for source in self.sources if source.owner in wanted_modules or source.name in tables]


def read(app: Flask, dialect: Dialect) -> Catalog:
    """Return the tables of an application's modules, and the core's own."""
    history = ScriptDirectory.from_config(migrations.make_config())
    known = Tables(modules.installed(app), history)
    merged = sa.MetaData()
    found = {id(db.metadata): db.metadata}
    for module in modules.installed(app):
        found |= {id(metadata): metadata for metadata in modules.metadatas(module)}
    for metadata in found.values():
        for table in metadata.tables.values():
            if table.name in known.metadata.tables and table.name not in merged.tables:
                table.to_metadata(merged)
    sort: Callable[..., list[tuple[sa.Table | None, set[sa.ForeignKeyConstraint]]]] = sort_tables_and_constraints
    *ordered, (_, ring) = sort(list(merged.tables.values()))
    carried = [
        table for table, _ in ordered if table is not None and inventory.is_migrated(known.metadata.tables[table.name])
    ]
    sources = [Source(table, known.owners[table.name], dialect) for table in carried]
    late = [*ring, *(key for source in sources for key in _to_itself(source.table))]
    return Catalog(sources, late)


def _to_itself(table: sa.Table) -> list[sa.ForeignKeyConstraint]:
    return [key for key in table.foreign_key_constraints if key.referred_table is table]


def refuse_missing_types(sources: Sequence[Source]) -> None:
    """Do nothing if the engine has every type.

    :raises TransferError: naming the columns whose type it has not
    """
    lacking = [
        f"{source.name}.{column.name}" for source in sources for column in source.columns if _lacks(source, column)
    ]
    if lacking:
        raise TransferError(
            f"{sources[0].dialect.name} has no type for {', '.join(lacking)}: give the model a variant."
        )


def _lacks(source: Source, column: sa.Column[Any]) -> bool:
    try:
        compiled: Callable[..., str] = column.type.compile
        compiled(source.dialect)
    except CompileError:
        return True
    return False


def _refuse_unknown(what: str, asked: Sequence[str], known: set[str]) -> None:
    unknown = sorted(set(asked) - known)
    if unknown:
        raise TransferError(f"There is no {what} {', '.join(unknown)}: there are {', '.join(sorted(known))}.")
