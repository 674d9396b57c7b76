"""Products in categories, with tags, and what comes into stock and goes out."""

import enum
from datetime import date
from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint
from sqlalchemy import Column
from sqlalchemy import Enum
from sqlalchemy import ForeignKey
from sqlalchemy import Index
from sqlalchemy import String
from sqlalchemy import Table
from sqlalchemy import Text
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship

from core.access import permission
from core.data.models import Money
from core.data.models import Owned
from core.data.models import Timestamped
from core.data.models import UtcDateTime
from core.data.models import Versioned
from core.data.models import now
from services import Model
from services import db


class Status(enum.Enum):
    """State of a product."""

    DRAFT = "Draft"
    ON_SALE = "On sale"
    DISCONTINUED = "Discontinued"

    @property
    def label(self) -> str:
        return self.value


product_tag = Table(
    "example_product_tag",
    db.metadata,
    Column("product_id", ForeignKey("example_product.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", ForeignKey("example_tag.id", ondelete="CASCADE"), primary_key=True, index=True),
)


class Category(Owned, Timestamped, Versioned, Model):
    __tablename__ = "example_category"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    description: Mapped[str | None] = mapped_column(Text)
    products: Mapped[list["Product"]] = relationship(back_populates="category", passive_deletes="all")

    def __str__(self) -> str:
        return self.name


class Tag(Owned, Versioned, Model):
    __tablename__ = "example_tag"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)

    def __str__(self) -> str:
        return self.name


class Product(Owned, Timestamped, Versioned, Model):
    __tablename__ = "example_product"
    __table_args__ = (CheckConstraint("price >= 0", "price"), CheckConstraint("stock >= 0", "stock"))

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), index=True)
    sku: Mapped[str] = mapped_column(
        String(20),
        unique=True,
        info={"label": "SKU", "description": "The number on the shelf; no two products share one."},
    )
    category_id: Mapped[int] = mapped_column(ForeignKey("example_category.id"), index=True)
    category: Mapped[Category] = relationship(back_populates="products")
    tags: Mapped[list[Tag]] = relationship(secondary=product_tag, order_by=Tag.name)
    status: Mapped[Status] = mapped_column(Enum(Status, native_enum=False, length=20), default=Status.DRAFT)
    price: Mapped[Decimal] = mapped_column(Money(10, 2), info={"min": 0, "description": "In euros."})
    stock: Mapped[int] = mapped_column(default=0, info={"min": 0, "label": "In stock"})
    available_from: Mapped[date | None]
    featured: Mapped[bool] = mapped_column(
        default=False, info={"description": "Show it on the first page of the shop."}
    )
    notes: Mapped[str | None] = mapped_column(
        Text,
        info={
            "description": "For colleagues; customers never see them.",
            "read": permission("example.note.read"),
        },
    )

    def __str__(self) -> str:
        return self.name


class Reason(enum.Enum):
    """Why stock moves."""

    DELIVERY = "Delivery"
    SALE = "Sale"
    RETURN = "Return"
    LOSS = "Loss"
    CORRECTION = "Correction"


class StockMovement(Model):
    """So many of a product came into stock, or went out; it is never changed afterwards."""

    __tablename__ = "example_stock_movement"
    __table_args__ = (CheckConstraint("quantity <> 0", "quantity"), Index(None, "product_id", "id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("example_product.id"))
    product: Mapped[Product] = relationship()
    quantity: Mapped[int] = mapped_column(info={"description": "Below zero what goes out."})
    reason: Mapped[Reason] = mapped_column(Enum(Reason, native_enum=False, length=20))
    moved_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)

    def __str__(self) -> str:
        return f"{self.quantity:+} {self.product}"
