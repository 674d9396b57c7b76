"""Shared parts of models: columns that mean the same on every engine, and three mixins."""

import re
from datetime import UTC
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import declared_attr
from sqlalchemy.orm import mapped_column
from sqlalchemy.types import TypeDecorator
from sqlalchemy.types import TypeEngine


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware on the way in, UTC on the way out, to the microsecond.

    PostgreSQL keeps the zone; SQLite and MariaDB have none, there the value is stored in UTC.
    """

    impl = sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no zone: use datetime.now(UTC)")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Money(TypeDecorator[Decimal]):
    """An exact amount, ``Numeric(precision, scale)``.

    SQLite has no decimals: there it is a float, which holds 15 digits exactly, and comes back
    rounded to its scale. A precision above 15 is refused.
    """

    impl = sa.Numeric
    cache_ok = True

    def __init__(self, precision: int = 12, scale: int = 2) -> None:
        if precision > 15:
            raise ValueError(f"Money({precision}) is not exact on SQLite: use at most 15 digits")
        self.precision = precision
        self.scale = scale
        super().__init__(precision, scale)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.Numeric(self.precision, self.scale, asdecimal=False))
        return dialect.type_descriptor(sa.Numeric(self.precision, self.scale))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        return float(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        if value is None or dialect.name != "sqlite":
            return value  # type: ignore[no-any-return]  # Any in SQLAlchemy
        return Decimal(f"{value:.{self.scale}f}")


def exact(length: int) -> sa.String:
    """Make a text type that compares character by character on every engine.

    MariaDB's own comparison takes ``es`` for ``ES``, so that a foreign key would accept it, and its
    ``utf8mb4_bin`` takes ``Madrid`` with a space behind for ``Madrid``; in a language's order, PostgreSQL
    cannot use an index for the beginning of a name.
    """
    return (
        sa.String(length)
        .with_variant(sa.String(length, collation="C"), "postgresql")
        .with_variant(sa.String(length, collation="utf8mb4_nopad_bin"), "mysql", "mariadb")
    )


_UNNAMEABLE = re.compile(r"\.{0,2}|.*[/\x00-\x1f\x7f].*", re.DOTALL)


def key_fault(key: str) -> str | None:
    """Return why no address can name a key, which is one segment of a path (RFC 3986, section 3.3)."""
    if not _UNNAMEABLE.fullmatch(key):
        return None
    return gettext(
        "No address can name it: a key is not empty, not “.” or “..”, and has no “/” and no control characters."
    )


def numbered(table: sa.Table) -> list[sa.Column[Any]]:
    """Return the columns whose value for a new row is a number that the database counts up."""
    return [
        column
        for column in table.columns
        if column is table.autoincrement_column
        or column.identity is not None
        or isinstance(column.default, sa.Sequence)
    ]


def sequence_of(connection: Any, column: sa.Column[Any]) -> str | None:
    """Return the name of the sequence that numbers a column; ``None`` where the engine has none.

    :param connection: a connection or a session
    """
    bind = connection.get_bind() if hasattr(connection, "get_bind") else connection
    if bind.dialect.name != "postgresql":
        return None
    if isinstance(column.default, sa.Sequence):
        return bind.dialect.identifier_preparer.format_sequence(column.default)  # type: ignore[no-any-return]  # Any in SQLAlchemy
    table = bind.dialect.identifier_preparer.format_table(column.table)
    found: str | None = connection.scalar(sa.select(sa.func.pg_get_serial_sequence(table, column.name)))
    return found


def now() -> datetime:
    """Return this moment, in UTC."""
    return datetime.now(UTC)


class Timestamped:
    """Adds ``created_at`` and ``updated_at``, kept by the application."""

    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, info={"read_only": True})
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, onupdate=now, info={"read_only": True})


class Owned:
    """Adds ``owner_key``: whose row it is, by the key of who created it with the verbs.

    No API and no form shows it. A policy names it: ``permission("shop.order.edit", owner="owner_key")``.
    """

    owner_key: Mapped[str | None] = mapped_column(exact(64), index=True, info={"hidden": True})


class Versioned:
    """Adds ``version``, counted up at every change.

    The row's ETag and the token in its forms; an update from an older one raises
    :exc:`core.exceptions.Stale`, so that of two editors neither loses a change unseen.
    """

    version: Mapped[int] = mapped_column(info={"read_only": True})

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        table = cls.__dict__.get("__table__")
        if table is not None and table.autoincrement_column is not None:
            # Else SQLite gives a deleted row's key to the next row, whose first version the old ETag fits.
            table.kwargs["sqlite_autoincrement"] = True

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:
        return {"version_id_col": cls.version}
