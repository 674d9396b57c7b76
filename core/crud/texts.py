"""Comparisons of texts that give the same answer on every engine.

Two texts are equal if all their characters are; they are ordered by code point. A search alone takes upper
for lower case. Engines differ in each of these where a column has no collation: MariaDB takes ``es`` for
``ES`` and ``é`` for ``e``, SQLite's LIKE takes ``a`` for ``A`` but not ``é`` for ``É``, PostgreSQL sorts by its
database's language. A column of :func:`core.data.models.exact` needs none of what is added here, and its index serves
every comparison; a collation that a column names itself is left as it is.
"""

from operator import ge
from operator import gt
from operator import le
from operator import lt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.elements import ColumnElement

from ..fields.columns import plain_type

#: Collations that compare character by character, without a change of case and without PAD SPACE.
_EXACT = {"postgresql": "C", "mysql": "utf8mb4_nopad_bin", "mariadb": "utf8mb4_nopad_bin"}

_MARIADB = ("mysql", "mariadb")


def is_text(column: Any) -> bool:
    """Return whether a column holds texts of any letters."""
    type_ = plain_type(column)
    return isinstance(type_, sa.String) and not isinstance(type_, sa.Enum | mysql.SET)


def ordered(column: Any, dialect: Dialect) -> Any:
    """Return what to sort by, and to compare as less or greater."""
    type_ = plain_type(column)
    if isinstance(type_, sa.Enum) and type_.native_enum:
        # By its names: MariaDB sorts its own type by place but compares it by name, PostgreSQL does both by place.
        choices = type_.enums if type_.enum_class is None else [type_.enum_class]
        column = sa.cast(column, sa.Enum(*choices, native_enum=False))
    elif not isinstance(type_, sa.String) or isinstance(type_, postgresql.CITEXT | mysql.SET):
        return column
    return _by_code_point(column, dialect)


def compare(column: Any, operator: str, name: str, value: Any, dialect: Dialect) -> ColumnElement[bool]:
    """Return the condition of a filter, its value to be given by parameters.

    :param name: of the parameter, or the beginning of those of an ``in``
    :param value: what a statement is made for: whether it is NULL, or how many values there are
    """
    match operator:
        case "isnull":
            return column.is_(None) if value else column.is_not(None)  # type: ignore[no-any-return]  # Any in SQLAlchemy
        case "in":
            return one_of(column, [sa.bindparam(f"{name}_{i}", type_=column.type) for i in range(len(value))], dialect)
        case "startswith":
            return begins(column, sa.bindparam(name, type_=sa.String), dialect)
    mark = sa.bindparam(name, type_=column.type)
    if operator in _ORDERED:
        return _ORDERED[operator](ordered(column, dialect), mark)  # type: ignore[no-any-return]  # Any in SQLAlchemy
    return unequal(column, mark, dialect) if operator == "ne" else equal(column, mark, dialect)


_ORDERED = {"gt": gt, "gte": ge, "lt": lt, "lte": le}


def equal(column: Any, value: Any, dialect: Dialect) -> ColumnElement[bool]:
    """Return the condition that a column equals a value."""
    return _refined(column == value, _exactly(column, dialect) == value, column, dialect)


def unequal(column: Any, value: Any, dialect: Dialect) -> ColumnElement[bool]:
    """Return the condition that a column has another value."""
    return _exactly(column, dialect) != value  # type: ignore[no-any-return]  # Any there


def one_of(column: Any, values: list[Any], dialect: Dialect) -> ColumnElement[bool]:
    """Return the condition that a column equals one of some values."""
    return _refined(column.in_(values), _exactly(column, dialect).in_(values), column, dialect)


def begins(column: Any, pattern: Any, dialect: Dialect) -> ColumnElement[bool]:
    """Return the condition that a column has the beginning of :func:`beginning`."""
    if dialect.name == "sqlite":
        # Its LIKE takes a for A, and thereby uses no index.
        return column.op("GLOB", is_comparison=True)(pattern)  # type: ignore[no-any-return]  # Any there
    exactly = _exactly(column, dialect).like(pattern, escape="/")
    return _refined(column.like(pattern, escape="/"), exactly, column, dialect)


def beginning(text: str, dialect: Dialect) -> str:
    """Return the pattern of texts that begin with this one."""
    if dialect.name == "sqlite":
        return "".join(f"[{one}]" if one in "*?[" else one for one in text) + "*"
    return f"{_escape(text)}%"


def contains(column: Any, pattern: Any, dialect: Dialect) -> ColumnElement[bool]:
    """Return the condition that a column has a text of :func:`part` somewhere, in upper or lower case."""
    if dialect.name == "sqlite":
        lower = sa.func.lower_unicode
        return lower(column).like(lower(pattern), escape="/")
    if dialect.name in _MARIADB:
        return _by_code_point(sa.func.lower(column), dialect).like(sa.func.lower(pattern), escape="/")  # type: ignore[no-any-return]  # Any there
    # "C" knows the case of ASCII only.
    cased = sa.collate(column, "default") if _collation(column, dialect) == "C" else column
    return cased.ilike(pattern, escape="/")


def part(text: str) -> str:
    """Return the pattern of texts that contain this one."""
    return f"%{_escape(text)}%"


def _exactly(column: Any, dialect: Dialect) -> Any:
    """Return the column as MariaDB compares it by characters; the others do where nothing else is declared."""
    return _by_code_point(column, dialect) if dialect.name in _MARIADB and is_text(column) else column


def _refined(rough: Any, exact: Any, column: Any, dialect: Dialect) -> ColumnElement[bool]:
    # Texts equal by characters are equal by any collation: the first condition can use an index.
    is_exact = _exactly(column, dialect) is column
    return rough if is_exact else sa.and_(rough, exact)


def _by_code_point(column: Any, dialect: Dialect) -> Any:
    wanted = _EXACT.get(dialect.name)
    return column if wanted is None or _collation(column, dialect) else sa.collate(column, wanted)


def _collation(column: Any, dialect: Dialect) -> str | None:
    found: str | None = getattr(column.type.dialect_impl(dialect), "collation", None)
    return found


def _escape(text: str) -> str:
    return text.replace("/", "//").replace("%", "/%").replace("_", "/_")
