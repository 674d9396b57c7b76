"""Rows that the engine takes for equal: found before anything is written, by the engine itself.

What is unique where the rows are from may be equal where they go: MariaDB compares by a collation (``é`` is ``e``,
and spaces at the end do not count), and ``lower()`` knows other letters. The columns in question are brought into a
temporary table with the collations of the real one, and grouped there.
"""

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import CITEXT

from .catalog import Source
from .kinds import decoder

_NAME = "_data_unique"

#: The row's number in the dump. No column is called so.
_NUMBER = "_data_row"

_BATCH = 1_000

#: Characters of a value that are shown.
_SHOWN = 40


@dataclass(frozen=True)
class Unique:
    """The columns whose values must be unique.

    :param columns: that it is made of
    :param parts: columns and expressions, as SQL
    :param where: the rows that count, as SQL
    """

    columns: tuple[str, ...]
    parts: tuple[str, ...]
    where: str | None = None


def uniques_of(source: Source) -> list[Unique]:
    """Return what the engine may compare otherwise than the one that the rows are from."""
    table = source.table
    found = [
        Unique(tuple(column.name for column in rule.columns), tuple(_sql(source, one) for one in rule.columns))
        for rule in table.constraints
        if isinstance(rule, sa.UniqueConstraint | sa.PrimaryKeyConstraint)
        and any(_compares_otherwise(source, column) for column in rule.columns)
    ]
    return found + [
        Unique(
            tuple(column.name for column in index.columns),
            tuple(_sql(source, one) for one in index.expressions),
            _where(source, index),
        )
        for index in table.indexes
        if index.unique and (_has_expressions(index) or any(_compares_otherwise(source, one) for one in index.columns))
    ]


class Rehearsal:
    """The columns that must be unique, in a temporary table of the database that is loaded into.

    :param kinds: of the dump
    """

    def __init__(self, connection: Connection, source: Source, kinds: dict[str, str]) -> None:
        self.connection = connection
        self.source = source
        self.uniques = uniques_of(source)
        names = {name for unique in self.uniques for name in unique.columns}
        self.columns = [column for column in source.columns if column.name in names]
        places = list(kinds)
        types = dict(zip((column.name for column in source.columns), source.types, strict=True))
        self._decoders = [
            (places.index(one.name), decoder(kinds[one.name], types[one.name], source.dialect)) for one in self.columns
        ]
        self._table = sa.table(
            _NAME, sa.column(_NUMBER, sa.BigInteger), *(sa.column(one.name, types[one.name]) for one in self.columns)
        )
        self._rows: list[dict[str, Any]] = []
        if self.uniques:
            self._make()

    def add(self, number: int, row: Sequence[Any]) -> None:
        """Take a row of the dump."""
        if not self.uniques:
            return
        values = [
            row[place] if decode is None or row[place] is None else decode(row[place])
            for place, decode in self._decoders
        ]
        names = [_NUMBER, *(column.name for column in self.columns)]
        self._rows.append(dict(zip(names, [number, *values], strict=True)))
        if len(self._rows) == _BATCH:
            self._write()

    def twice(self) -> Iterator[str]:
        """Yield what is there twice, in words, and forget it all."""
        if not self.uniques:
            return
        self._write()
        for unique in self.uniques:
            for first, second in self.connection.execute(sa.text(_question(unique, self._quote))):
                yield self._describe(unique, first, second)
        self.connection.exec_driver_sql(f"DROP TABLE {_NAME}")
        self.connection.commit()

    def _make(self) -> None:
        columns = ", ".join(self._quote(column.name) for column in self.columns)
        if self.connection.dialect.name == "sqlite":
            # There, a table made of a question has no collations.
            made = sa.Table(_NAME, sa.MetaData(), sa.Column(_NUMBER, sa.BigInteger), prefixes=["TEMPORARY"])
            for column in self.columns:
                made.append_column(sa.Column(column.name, column.type))
            self.connection.exec_driver_sql(f"DROP TABLE IF EXISTS temp.{_NAME}")
            made.create(self.connection)
        else:
            of = self.connection.dialect.identifier_preparer.format_table(self.source.table)
            self.connection.exec_driver_sql(f"DROP TABLE IF EXISTS {_NAME}")
            self.connection.exec_driver_sql(
                f"CREATE TEMPORARY TABLE {_NAME} AS SELECT {2**40} AS {_NUMBER}, {columns} FROM {of} WHERE 1 = 0"  # noqa: S608
            )
        self.connection.commit()

    def _write(self) -> None:
        if self._rows:
            self.connection.execute(self._table.insert(), self._rows)
            self.connection.commit()
            self._rows = []

    def _describe(self, unique: Unique, first: int, second: int) -> str:
        number = self._table.c[_NUMBER]
        shown = [self._table.c[name] for name in unique.columns]
        found = self.connection.execute(sa.select(*shown).where(number.in_([first, second])).order_by(number))
        values = " and ".join(", ".join(repr(value)[:_SHOWN] for value in row) for row in found)
        names = ", ".join(unique.columns)
        return f"{self.source.name}.{names} of rows {first} and {second} must differ, and are equal here: {values}"

    def _quote(self, name: str) -> str:
        return self.connection.dialect.identifier_preparer.quote(name)


def _question(unique: Unique, quote: Any) -> str:
    # NULL is equal to nothing.
    counted = [f"({part}) IS NOT NULL" for part in unique.parts]
    counted += [f"({unique.where})"] if unique.where else []
    asked = (
        f"SELECT min({_NUMBER}), max({_NUMBER}) FROM {_NAME} WHERE {' AND '.join(counted)} "  # noqa: S608
        f"GROUP BY {', '.join(unique.parts)} HAVING count(*) > 1 ORDER BY 1"
    )
    return asked.replace(":", r"\:")


def _sql(source: Source, part: Any) -> str:
    options = {"literal_binds": True, "include_table": False}
    return str(part.compile(dialect=source.dialect, compile_kwargs=options))


def _where(source: Source, index: sa.Index) -> str | None:
    where = index.dialect_kwargs.get(f"{source.dialect.name}_where")
    return None if where is None else _sql(source, where)


def _has_expressions(index: sa.Index) -> bool:
    return any(not isinstance(part, sa.Column) for part in index.expressions)


def _compares_otherwise(source: Source, column: sa.Column[Any]) -> bool:
    """Return whether the engine may take two values of a column for equal that have other characters."""
    type_ = (
        source.types[source.columns.index(column)].dialect_impl(source.dialect) if column in source.columns else None
    )
    if not isinstance(type_, sa.String) or isinstance(type_, sa.Enum):
        return False
    collation = type_.collation or ""
    if source.dialect.name in ("mysql", "mariadb"):
        return not collation.endswith("nopad_bin")
    return isinstance(type_, CITEXT) or collation not in ("", "C", "POSIX", "BINARY")
