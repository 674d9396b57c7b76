"""Orders with lines that are numbered by the database, and with parcels that have a number within their order."""

from decimal import Decimal

from flask import Blueprint
from sqlalchemy import CheckConstraint
from sqlalchemy import ForeignKey
from sqlalchemy import MetaData
from sqlalchemy import String
from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship

from core.data.models import Money
from core.data.models import Versioned
from core.resources import Resource
from services import NAMING_CONVENTION

bp = Blueprint("orders", __name__, url_prefix="/orders")


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Order(Versioned, Base):
    __tablename__ = "orders_order"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str] = mapped_column(String(80), index=True)
    lines: Mapped[list["Line"]] = relationship(
        back_populates="order", cascade="all, delete-orphan", order_by="Line.position"
    )
    parcels: Mapped[list["Parcel"]] = relationship(back_populates="order", cascade="all, delete-orphan")
    warnings: Mapped[list["Remark"]] = relationship(
        primaryjoin="and_(Remark.order_id == Order.id, Remark.kind == 'warning')", cascade="all, delete-orphan"
    )

    def __str__(self) -> str:
        return f"Order {self.id}"


class Line(Base):
    """Line with a place of its own within its order."""

    __tablename__ = "orders_line"
    __table_args__ = (
        UniqueConstraint("order_id", "position"),
        CheckConstraint("quantity > 0", "quantity"),
        CheckConstraint("position > 0", "position"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey(Order.id), index=True)
    order: Mapped[Order] = relationship(back_populates="lines")
    position: Mapped[int]
    product: Mapped[str] = mapped_column(String(80))
    quantity: Mapped[int] = mapped_column(default=1, info={"min": 1})
    price: Mapped[Decimal | None] = mapped_column(Money(10, 2))

    def __str__(self) -> str:
        return f"{self.quantity} × {self.product}"


class Parcel(Base):
    __tablename__ = "orders_parcel"

    order_id: Mapped[int] = mapped_column(ForeignKey(Order.id), primary_key=True)
    order: Mapped[Order] = relationship(back_populates="parcels")
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    grams: Mapped[int]

    def __str__(self) -> str:
        return f"Parcel {self.number}"


class Remark(Base):
    """Remark that no face serves: only those of one kind are written, with their order."""

    __tablename__ = "orders_remark"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey(Order.id), index=True, info={"hidden": True})
    kind: Mapped[str] = mapped_column(String(20), default="warning")
    text: Mapped[str] = mapped_column(String(80))

    def __str__(self) -> str:
        return self.text


class Orders(Resource):
    model = Order
    children = ("lines", "parcels", "warnings")


class Lines(Resource):
    model = Line


Orders.register(bp)
Lines.register(bp)
