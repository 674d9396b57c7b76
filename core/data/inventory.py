"""Inventory: what the modules' models need and the database lacks, as tables and columns by their names.

One question to the database's own catalogue. What a column is made of is alembic's business.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

import sqlalchemy as sa
from flask import Flask

from services import Base
from services import db

from .. import modules
from ..modules import Module
from . import cursors

# Each column, and whether every new row has to say something about it. SQLite's table_info leaves out generated ones.
_COLUMNS = {
    "sqlite": """
        SELECT made.name, field.name,
            field."notnull" AND field.dflt_value IS NULL AND NOT field.pk AND field.hidden NOT IN (2, 3)
        FROM sqlite_master made JOIN pragma_table_xinfo(made.name) field WHERE made.type IN ('table', 'view')
    """,
    "postgresql": """
        SELECT made.relname, field.attname, field.attnotnull AND NOT field.atthasdef AND field.attidentity = ''
        FROM pg_attribute field JOIN pg_class made ON made.oid = field.attrelid
        WHERE field.attnum > 0 AND NOT field.attisdropped AND made.relkind IN ('r', 'p', 'v', 'm', 'f')
            AND made.relnamespace = current_schema()::regnamespace
    """,
    **dict.fromkeys(
        ("mysql", "mariadb"),
        """
        SELECT table_name, column_name,
            is_nullable = 'NO' AND column_default IS NULL AND extra NOT LIKE 'auto_increment'
        FROM information_schema.columns WHERE table_schema = database()
        """,
    ),
}


def is_migrated(table: sa.Table) -> bool:
    """Return whether revisions make a table: no view, and not if its ``info`` or its MetaData's says otherwise.

    ``info={"is_view": True}`` is a view, ``info={"migrated": False}`` a table of another system.
    """
    return not is_view(table) and table.info.get("migrated", table.metadata.info.get("migrated", True)) is not False


def is_view(table: sa.Table) -> bool:
    """Return whether a table is declared as a view: ``info={"is_view": True}``."""
    return bool(table.info.get("is_view"))


def lacking(app: Flask, *, also_unmigrated: bool = False) -> dict[str, list[str]]:
    """Return what the models need and the database does not have, by the names of the modules.

    :param also_unmigrated: whether to look for what autogenerate leaves alone as well: views, tables of other systems
    :return: ``{"app.shop": ["shop_order", "shop_line.price"]}``
    :raises sqlalchemy.exc.DBAPIError: if the database does not answer
    """
    there = _columns()
    found: dict[str, list[str]] = {}
    for name, table in tables(modules.installed(app)):
        if not (also_unmigrated or is_migrated(table)):
            continue
        if table.name not in there:
            found.setdefault(name, []).append(table.name)
        else:
            missing = [column.name for column in table.columns if column.name not in there[table.name]]
            found.setdefault(name, []).extend(f"{table.name}.{column}" for column in missing)
    return {name: sorted(places) for name, places in found.items() if places}


def demanding(app: Flask) -> dict[str, list[str]]:
    """Return the columns that every new row must fill, and of which the models know nothing, by module."""
    there = _columns()
    found: dict[str, list[str]] = {}
    for name, table in tables(modules.installed(app)):
        for column, is_required in there.get(table.name, {}).items() if is_migrated(table) else ():
            if is_required and column not in table.columns:
                found.setdefault(name, []).append(f"{table.name}.{column}")
    return found


def _columns() -> dict[str, dict[str, bool]]:
    found: dict[str, dict[str, bool]] = {}
    for table, column, is_required in cursors.read_tuples(_COLUMNS[cursors.engine_name()]):
        found.setdefault(table, {})[column] = bool(is_required)
    return found


def tables(installed: Sequence[Module]) -> Iterator[tuple[str, sa.Table]]:
    """Yield the tables of this database, with the names of their modules."""
    names = {module.label: module.name for module in installed}
    labels = owners(installed)
    metadatas = {id(db.metadata): db.metadata}
    metadatas |= {id(one): one for module in installed for one in modules.metadatas(module)}
    for metadata in metadatas.values():
        for table in metadata.tables.values():
            is_elsewhere = table.schema is not None or metadata.info.get("bind_key") is not None
            if table.name in labels and not is_elsewhere:
                yield names[labels[table.name]], table


def owners(installed: Sequence[Module], core: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the label of the installed module that declares each table.

    :param core: the tables that are no module's, with the words for their owner
    """
    found = dict(core or {})
    for module in installed:
        for metadata in modules.metadatas(module):
            if metadata is not db.metadata:
                found = dict.fromkeys((table.name for table in metadata.tables.values()), module.label) | found
    strangers = set()
    for mapper in Base.registry.mappers:
        table, home = mapper.local_table, mapper.class_.__module__
        homes = [module for module in installed if f"{home}.".startswith(f"{module.name}.")]
        if not isinstance(table, sa.Table):
            continue
        if homes:
            found[table.name] = max(homes, key=lambda module: len(module.name)).label
        else:
            strangers.add(table.name)
    labels = {module.label for module in installed} | {*(core or {}).values()}
    for table in db.metadata.tables.values():
        label = longest_prefix(table.name, labels)
        if label and table.name not in strangers:
            found.setdefault(table.name, label)
    return found


def longest_prefix(table: str, labels: set[str]) -> str | None:
    """Return the label that ``<label>_<noun>`` begins with; of ``api`` and ``api_keys`` the longer."""
    return max((label for label in labels if table.startswith(f"{label}_")), key=len, default=None)
