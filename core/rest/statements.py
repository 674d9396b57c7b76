"""A statement as the driver takes it, made once, and what becomes of its rows."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine

from . import dump

#: Name to column, none.
_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Prepared:
    """One statement and what its rows become.

    :param names: its parameters: in order for drivers that count, else a mapping is passed
    :param constants: parameters that SQLAlchemy adds of its own (SQLite's LIMIT needs an OFFSET)
    :param binds: what SQLAlchemy does to a value on the way in, by parameter
    :param sort: where a row has the values of the sort keys, and what SQLAlchemy does to them on the way out
    :param version: where a row has its version
    :param links: where a row has the keys of the rows that it leads to
    """

    sql: str
    names: tuple[str, ...] | None
    constants: Mapping[str, Any]
    binds: Mapping[str, Callable[[Any], Any]]
    dump: dump.RowDump
    sort: tuple[tuple[int, Callable[[Any], Any] | None], ...]
    version: int | None
    links: Mapping[str, int]

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """Bring values into the form that the driver takes."""
        given = {**self.constants, **values}
        ready = {name: self.binds[name](value) if name in self.binds else value for name, value in given.items()}
        return ready if self.names is None else tuple(ready[name] for name in self.names)

    def sort_values(self, row: Sequence[Any]) -> list[Any]:
        """Return the values by which a row is sorted."""
        return [process(row[place]) if process else row[place] for place, process in self.sort]


def prepare(
    engine: Engine,
    select: sa.Select[Any],
    plan: dump.Plan,
    *,
    sort: Sequence[Any] = (),
    version: Any = None,
    links: Mapping[str, Any] = _NONE,
) -> Prepared:
    """Make a statement that reads what a plan shows, and beside it what else is wanted of a row.

    :param sort: columns of the sort keys
    :param version: the column of the version, if there is one
    :param links: name to the column of a key
    """
    wanted = [*sort, *([version] if version is not None else []), *links.values()]
    columns = [*plan.columns]
    for column in wanted:
        if not any(known is column for known in columns):
            columns.append(column)
    places = [next(i for i, known in enumerate(columns) if known is column) for column in wanted]
    dialect = engine.dialect
    compiled = select.with_only_columns(*columns).compile(dialect=dialect)
    binds = {
        name: process
        for name, bind in compiled.binds.items()
        if (process := bind.type.dialect_impl(dialect).bind_processor(dialect))
    }
    return Prepared(
        sql=str(compiled),
        names=tuple(compiled.positiontup) if compiled.positional and compiled.positiontup is not None else None,
        constants={name: bind.value for name, bind in compiled.binds.items() if not bind.required},
        binds=binds,
        dump=dump.compile_rows(plan, dialect),
        sort=tuple((place, dump.processor(column, dialect)) for place, column in zip(places, sort, strict=False)),
        version=None if version is None else places[len(sort)],
        links=dict(zip(links, places[len(places) - len(links) :], strict=True)),
    )
