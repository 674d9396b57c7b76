"""Tables with what is hard to carry from one engine to another: every type, rings of keys, no key at all."""

import enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from core.data.models import Money
from core.data.models import UtcDateTime
from core.data.models import Versioned
from services import NAMING_CONVENTION


class Base(DeclarativeBase):
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Metal(enum.Enum):
    GOLD = "Au"
    LEAD = "Pb"


class Sealed(sa.TypeDecorator[str]):
    """A text that is stored otherwise than it is read."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else f"sealed {value[::-1]}"

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else value.removeprefix("sealed ")[::-1]


def since(digits: int) -> Any:
    return sa.DateTime().with_variant(mysql.DATETIME(fsp=digits), "mysql", "mariadb")


class Crate(Versioned, Base):
    __tablename__ = "shipments_crate"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))
    text: Mapped[str | None] = mapped_column(sa.Text)
    mint: Mapped[str | None] = mapped_column(sa.CHAR(4))
    small: Mapped[int | None] = mapped_column(sa.SmallInteger)
    big: Mapped[int | None] = mapped_column(sa.BigInteger)
    live: Mapped[bool] = mapped_column(default=False)
    metal: Mapped[Metal | None]
    size: Mapped[str | None] = mapped_column(sa.Enum("S", "M", name="shipments_size"))
    uid: Mapped[Any | None] = mapped_column(sa.Uuid)
    uid_text: Mapped[Any | None] = mapped_column(sa.Uuid(as_uuid=False))
    image: Mapped[bytes | None]
    day: Mapped[Any | None] = mapped_column(sa.Date)
    clock: Mapped[Any | None] = mapped_column(sa.Time)
    local: Mapped[Any | None] = mapped_column(since(6))
    moment: Mapped[Any | None] = mapped_column(UtcDateTime)
    zoned: Mapped[Any | None] = mapped_column(sa.DateTime(timezone=True))
    span: Mapped[Any | None] = mapped_column(sa.Interval)
    price: Mapped[Any | None] = mapped_column(Money(12, 2))
    amount: Mapped[Any | None] = mapped_column(sa.Numeric(12, 4))
    weight: Mapped[float | None] = mapped_column(sa.Double)
    single: Mapped[float | None] = mapped_column(sa.Float)
    data: Mapped[Any | None] = mapped_column(sa.JSON().with_variant(pg.JSONB(), "postgresql"))
    numbers: Mapped[Any | None] = mapped_column(sa.JSON().with_variant(pg.ARRAY(sa.Integer), "postgresql"))
    sealed: Mapped[str | None] = mapped_column(Sealed(40))
    twice: Mapped[int | None] = mapped_column(sa.Integer, sa.Computed("small * 2", persisted=True))
    inside_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shipments_crate.id"))
    pallet_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shipments_pallet.id", use_alter=True))


class Pallet(Base):
    """Refers to crates, which refer to it."""

    __tablename__ = "shipments_pallet"

    id: Mapped[int] = mapped_column(primary_key=True)
    first_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shipments_crate.id"))


class Place(Base):
    """A row whose key has two columns, one of them a text."""

    __tablename__ = "shipments_place"

    aisle: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    pallet_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shipments_pallet.id"))


notes = sa.Table("shipments_note", Base.metadata, sa.Column("text", sa.String(80)))
