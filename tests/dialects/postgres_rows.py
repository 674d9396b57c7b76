"""A module with a column of every type that only PostgreSQL or MariaDB has.

Each has a Base of its own, so that each engine gets the tables that it can make.
"""

from typing import Any

import sqlalchemy as sa
from flask import Blueprint
from sqlalchemy import orm
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

import app.dialects
from core.crud import Crud
from core.data.models import Versioned
from core.rest import Api
from tests.core.column_types import Metal
from tests.core.column_types import serve

__all__ = ["MariaRow", "MariaRows", "PostgresRow", "PostgresRows", "app"]


class Postgres(orm.DeclarativeBase):
    """Columns of PostgreSQL."""


class Maria(orm.DeclarativeBase):
    """Columns of MariaDB."""


class PostgresRow(Versioned, Postgres):
    __tablename__ = "column_types_postgres_row"

    id: Mapped[int] = mapped_column(primary_key=True)
    numbers: Mapped[Any | None] = mapped_column(sa.ARRAY(sa.SmallInteger))
    texts: Mapped[Any | None] = mapped_column(pg.ARRAY(sa.String(3)))
    grid: Mapped[Any | None] = mapped_column(pg.ARRAY(sa.Integer, dimensions=2, as_tuple=True))
    amounts: Mapped[Any | None] = mapped_column(pg.ARRAY(sa.Numeric(5, 2)))
    moments: Mapped[Any | None] = mapped_column(pg.ARRAY(sa.DateTime(timezone=True)))
    metals: Mapped[Any | None] = mapped_column(pg.ARRAY(sa.Enum(Metal, name="column_types_metals")))
    marks: Mapped[Any | None] = mapped_column(pg.ARRAY(sa.Uuid))
    labels: Mapped[Any | None] = mapped_column(pg.HSTORE)
    data: Mapped[Any | None] = mapped_column(pg.JSONB(none_as_null=True))
    address: Mapped[Any | None] = mapped_column(pg.INET)
    network: Mapped[Any | None] = mapped_column(pg.CIDR)
    card: Mapped[str | None] = mapped_column(pg.MACADDR)
    long_card: Mapped[str | None] = mapped_column(pg.MACADDR8)
    small: Mapped[Any | None] = mapped_column(pg.INT4RANGE)
    large: Mapped[Any | None] = mapped_column(pg.INT8RANGE)
    amount: Mapped[Any | None] = mapped_column(pg.NUMRANGE)
    days: Mapped[Any | None] = mapped_column(pg.DATERANGE)
    stay: Mapped[Any | None] = mapped_column(pg.TSRANGE)
    booked: Mapped[Any | None] = mapped_column(pg.TSTZRANGE)
    gaps: Mapped[Any | None] = mapped_column(pg.INT4MULTIRANGE)
    shifts: Mapped[Any | None] = mapped_column(pg.TSTZMULTIRANGE)
    flags: Mapped[str | None] = mapped_column(pg.BIT(4))
    some: Mapped[str | None] = mapped_column(pg.BIT(4, varying=True))
    oid: Mapped[int | None] = mapped_column(pg.OID)
    zip: Mapped[str | None] = mapped_column(pg.DOMAIN("column_types_zip", sa.String(5), check=r"VALUE ~ '^\d{5}$'"))
    mail: Mapped[str | None] = mapped_column(pg.CITEXT)
    span: Mapped[Any | None] = mapped_column(pg.INTERVAL)
    zoned: Mapped[Any | None] = mapped_column(pg.TIME(timezone=True))
    tenths: Mapped[Any | None] = mapped_column(pg.TIMESTAMP(timezone=True, precision=1))
    raw: Mapped[bytes | None] = mapped_column(pg.BYTEA)
    words: Mapped[Any] = mapped_column(
        pg.TSVECTOR, sa.Computed("to_tsvector('simple', coalesce(mail, ''))", persisted=True)
    )


class MariaRow(Versioned, Maria):
    __tablename__ = "column_types_maria_row"

    id: Mapped[int] = mapped_column(mysql.INTEGER(unsigned=True), primary_key=True)
    tiny: Mapped[int | None] = mapped_column(mysql.TINYINT(1))
    byte: Mapped[int | None] = mapped_column(mysql.TINYINT(unsigned=True))
    medium: Mapped[int | None] = mapped_column(mysql.MEDIUMINT)
    word: Mapped[int | None] = mapped_column(mysql.SMALLINT(unsigned=True))
    big: Mapped[int | None] = mapped_column(mysql.BIGINT(unsigned=True))
    amount: Mapped[Any | None] = mapped_column(mysql.DECIMAL(5, 2, unsigned=True))
    ratio: Mapped[Any | None] = mapped_column(mysql.DOUBLE(unsigned=True))
    year: Mapped[int | None] = mapped_column(mysql.YEAR)
    marks: Mapped[Any | None] = mapped_column(mysql.SET("a", "b", "c"))
    metal: Mapped[str | None] = mapped_column(mysql.ENUM("gold", "lead"))
    flags: Mapped[int | None] = mapped_column(mysql.BIT(64))
    moment: Mapped[Any | None] = mapped_column(mysql.DATETIME(fsp=3))
    whole: Mapped[Any | None] = mapped_column(mysql.DATETIME)
    stamp: Mapped[Any | None] = mapped_column(mysql.TIMESTAMP(fsp=6))
    clock: Mapped[Any | None] = mapped_column(mysql.TIME(fsp=6))
    text: Mapped[str | None] = mapped_column(mysql.LONGTEXT)
    short: Mapped[str | None] = mapped_column(mysql.TINYTEXT)
    raw: Mapped[bytes | None] = mapped_column(mysql.MEDIUMBLOB)
    few: Mapped[bytes | None] = mapped_column(mysql.VARBINARY(5))
    fixed: Mapped[bytes | None] = mapped_column(mysql.BINARY(2))
    four: Mapped[str | None] = mapped_column(mysql.INET4)
    six: Mapped[str | None] = mapped_column(mysql.INET6)


class PostgresRows(Crud):
    model = PostgresRow
    filters = dict.fromkeys(
        ("address", "network", "card", "long_card", "flags", "some", "oid", "zip", "mail", "span", "zoned"),
        ("eq", "in"),
    )
    sorts = ("address", "network", "card", "flags", "oid", "zip", "span", "zoned")


class MariaRows(Crud):
    model = MariaRow
    filters = dict.fromkeys(("byte", "big", "year", "amount", "flags", "metal", "clock", "four", "six"), ("eq", "gt"))
    sorts = ("tiny", "big", "year", "amount", "flags", "stamp", "four", "six")


bp = Blueprint("postgres_rows", __name__, url_prefix="/column_types")
api = Api(bp)

serve(api, PostgresRows, "/postgres_rows")
serve(api, MariaRows, "/maria_rows")
