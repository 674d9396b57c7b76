"""Comparisons of texts that give the same answer on every engine.

Two texts are equal if all their characters are; they are ordered by code point. A search alone takes upper
for lower case. Engines differ in each of these where a column has no collation: MariaDB takes ``es`` for
``ES`` and ``é`` for ``e``, SQLite's LIKE takes ``a`` for ``A`` but not ``é`` for ``É``, PostgreSQL sorts by its
database's language. A column of :func:`core.data.models.exact` needs none of what is added here, and its index serves
every comparison; a collation that a column names itself is left as it is.
"""

from collections.abc import Sequence
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


def compare(column: Any, operator: str, name: str, values: Sequence[Any], dialect: Dialect) -> ColumnElement[bool]:
    """Return the condition of a filter, its values to be given by parameters: one of them, of a negative operator none.

    :param name: the beginning of the names of the parameters
    :param values: what a statement is made for: how many there are, and of ``isnull`` whether it is NULL
    """
    if operator == "isnull":
        return column.is_(None) if values[0] else column.is_not(None)  # type: ignore[no-any-return]  # Any in SQLAlchemy
    type_ = sa.String() if operator in _PATTERNS else column.type
    marks = [sa.bindparam(f"{name}_{place}", type_=type_) for place in range(len(values))]
    match operator:
        case "eq" | "in":
            return one_of(column, marks, dialect)
        case "ne" | "nin":
            return none_of(column, marks, dialect)
        case "between":
            by = ordered(column, dialect)
            return sa.or_(*(sa.and_(by >= low, by <= high) for low, high in zip(marks[::2], marks[1::2], strict=True)))
    if operator in _PATTERNS:
        return sa.or_(*(_PATTERNS[operator](column, mark, dialect) for mark in marks))
    return _ORDERED[operator](ordered(column, dialect), marks[0])  # type: ignore[no-any-return]  # Any in SQLAlchemy


_ORDERED = {"gt": gt, "gte": ge, "lt": lt, "lte": le}


def equal(column: Any, value: Any, dialect: Dialect) -> ColumnElement[bool]:
    """Return the condition that a column equals a value."""
    return _refined(column == value, _exactly(column, dialect) == value, column, dialect)


def one_of(column: Any, values: list[Any], dialect: Dialect) -> ColumnElement[bool]:
    """Return the condition that a column equals one of some values."""
    if len(values) == 1:
        return equal(column, values[0], dialect)
    return _refined(column.in_(values), _exactly(column, dialect).in_(values), column, dialect)


def none_of(column: Any, values: list[Any], dialect: Dialect) -> ColumnElement[bool]:
    """Return the condition that a column has another value than each of these; NULL is none."""
    exactly = _exactly(column, dialect)
    return exactly != values[0] if len(values) == 1 else exactly.not_in(values)  # type: ignore[no-any-return]  # Any there


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


_PATTERNS = {"startswith": begins, "contains": contains}


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
