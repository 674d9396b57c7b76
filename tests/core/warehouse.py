"""A module as the tests of the core need one: a model with every type, its verbs, its API.

It has a Base of its own, so that no other test finds its tables in the shared metadata.
"""

import enum
import uuid
from datetime import date
from datetime import datetime
from datetime import time
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from flask import Blueprint
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship

from core.crud import Crud
from core.data.models import Money
from core.data.models import Timestamped
from core.data.models import UtcDateTime
from core.data.models import Versioned
from core.exceptions import Invalid
from core.fields.schemas import ModelSchema
from core.rest import Api
from core.rest import ModelResource
from services import NAMING_CONVENTION


class Base(DeclarativeBase):
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


class Maker(Base):
    """A row that others point to; without a version."""

    __tablename__ = "warehouse_maker"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(80), unique=True)
    things: Mapped[list["Thing"]] = relationship(back_populates="maker", foreign_keys="Thing.maker_id")


class Thing(Timestamped, Versioned, Base):
    """A row with a column of every type that is served."""

    __tablename__ = "warehouse_thing"
    __table_args__ = (
        sa.UniqueConstraint("maker_id", "slot"),
        sa.CheckConstraint("rank > -100", "rank"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))
    code: Mapped[str | None] = mapped_column(sa.String(40), unique=True, index=True)
    maker_id: Mapped[int] = mapped_column(sa.ForeignKey("warehouse_maker.id"))
    owner_id: Mapped[int | None] = mapped_column(sa.ForeignKey("warehouse_maker.id"))
    slot: Mapped[int | None] = mapped_column(sa.SmallInteger)
    rank: Mapped[int | None]
    big: Mapped[int | None] = mapped_column(sa.BigInteger)
    price: Mapped[Decimal] = mapped_column(Money(10, 2), default=Decimal("1.50"), info={"min": 0})
    weight: Mapped[float | None] = mapped_column(sa.Double)
    color: Mapped[Color | None]
    size: Mapped[str | None] = mapped_column(sa.Enum("S", "M", "L", name="warehouse_size"))
    live: Mapped[bool] = mapped_column(default=False)
    day: Mapped[date | None]
    clock: Mapped[time | None]
    local: Mapped[datetime | None]
    moment: Mapped[datetime | None] = mapped_column(UtcDateTime)
    uid: Mapped[uuid.UUID | None]
    data: Mapped[Any | None] = mapped_column(sa.JSON(none_as_null=True))
    notes: Mapped[str | None] = mapped_column(sa.Text)

    maker: Mapped[Maker] = relationship(back_populates="things", foreign_keys=maker_id)
    owner: Mapped[Maker | None] = relationship(foreign_keys=owner_id)


class Tag(Base):
    """A row whose key is a text."""

    __tablename__ = "warehouse_tag"

    code: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    title: Mapped[str | None] = mapped_column(sa.String(40))


class Spot(Base):
    """A row whose key has two columns."""

    __tablename__ = "warehouse_spot"

    aisle: Mapped[str] = mapped_column(sa.String(5), primary_key=True)
    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class Label(Base):
    __tablename__ = "warehouse_label"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))


def linked(name: str, column: str) -> sa.Table:
    """Return the table between boxes and what they have many of."""
    return sa.Table(
        f"warehouse_box_{name}",
        Base.metadata,
        sa.Column("box_id", sa.ForeignKey("warehouse_box.id", ondelete="CASCADE"), primary_key=True),
        sa.Column(
            f"{name}_{column}", sa.ForeignKey(f"warehouse_{name}.{column}", ondelete="CASCADE"), primary_key=True
        ),
    )


class Box(Versioned, Base):
    """A row with a relationship of every kind."""

    __tablename__ = "warehouse_box"
    __table_args__ = (sa.ForeignKeyConstraint(["aisle", "level"], ["warehouse_spot.aisle", "warehouse_spot.level"]),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))
    maker_id: Mapped[int] = mapped_column(sa.ForeignKey("warehouse_maker.id"))
    maker: Mapped[Maker] = relationship()
    aisle: Mapped[str | None] = mapped_column(sa.String(5))
    level: Mapped[int | None]
    spot: Mapped[Spot | None] = relationship()
    inside_id: Mapped[int | None] = mapped_column(sa.ForeignKey("warehouse_box.id", ondelete="CASCADE"))
    inside: Mapped["Box | None"] = relationship(remote_side="Box.id", back_populates="boxes")
    boxes: Mapped[list["Box"]] = relationship(back_populates="inside", order_by="Box.name")
    labels: Mapped[list[Label]] = relationship(
        secondary=linked("label", "id"), order_by=Label.name.desc(), info={"label": "Stickers"}
    )
    tags: Mapped[set[Tag]] = relationship(secondary=linked("tag", "code"))

    @property
    def shout(self) -> str:
        return self.name.upper()

    @shout.setter
    def shout(self, text: str) -> None:
        self.name = text.lower()


class Makers(Crud):
    model = Maker
    search = ("name", "things.name")
    filters = {"things.rank": ("eq",)}
    sorts = ("name",)


class Things(Crud):
    model = Thing
    search = ("name", "notes")
    filters = {
        "name": ("eq", "ne", "in", "startswith", "contains"),
        "rank": ("eq", "ne", "gt", "gte", "lt", "lte", "in", "isnull"),
        "big": ("eq",),
        "price": ("eq", "gte", "lte"),
        "weight": ("eq", "gt", "lt"),
        "color": ("eq", "ne", "in", "isnull"),
        "size": ("eq",),
        "live": ("eq",),
        "day": ("eq", "gte", "lte"),
        "clock": ("eq",),
        "moment": ("eq", "lt"),
        "uid": ("eq", "in"),
        "maker_id": ("eq",),
        "maker.name": ("eq", "in", "startswith", "contains"),
    }
    sorts = (
        "id", "name", "rank", "big", "price", "weight", "color", "live", "day", "clock", "moment", "uid",
        "created_at", "maker.name", "owner.name",
    )  # fmt: skip

    def check(self, item: Thing) -> None:
        if item.name == "forbidden":
            raise Invalid({"name": ["Choose another."]})


class Tags(Crud):
    model = Tag
    sorts = ("title",)


class Boxes(Crud):
    model = Box
    sorts = ("name",)


makers = Makers()
things = Things()
tags = Tags()
boxes = Boxes()


class ThingSchema(ModelSchema):
    class Meta:
        model = Thing


class MakerSchema(ModelSchema):
    class Meta:
        model = Maker


class TagSchema(ModelSchema):
    class Meta:
        model = Tag


class LabelSchema(ModelSchema):
    class Meta:
        model = Label


class BoxSchema(ModelSchema):
    """Writes foreign keys by their columns."""

    class Meta:
        model = Box
        include_relationships = True


class CrateSchema(ModelSchema):
    """Writes foreign keys by their relationships."""

    class Meta:
        model = Box
        include_relationships = True
        include_fk = False


class ThingResource(ModelResource):
    verbs = things
    schema = ThingSchema
    includes = {"maker": MakerSchema, "owner": MakerSchema}


class MakerResource(ModelResource):
    verbs = makers
    schema = MakerSchema
    includes = {"things": ThingSchema}


class TagResource(ModelResource):
    verbs = tags
    schema = TagSchema


class BoxResource(ModelResource):
    verbs = boxes
    schema = BoxSchema
    includes = {"maker": MakerSchema, "boxes": BoxSchema, "labels": LabelSchema, "tags": TagSchema}


class CrateResource(ModelResource):
    verbs = boxes
    schema = CrateSchema


class ShownThings(ModelResource):
    """Things that may be looked at only."""

    verbs = things
    schema = ThingSchema
    allow = ("list", "get")


class NewThings(ModelResource):
    """Things that may be added only."""

    verbs = things
    schema = ThingSchema
    allow = ("create",)


bp = Blueprint("warehouse", __name__, url_prefix="/warehouse")
api = Api(bp)
ThingResource.register(api, "/things")
MakerResource.register(api, "/makers")
TagResource.register(api, "/tags")
BoxResource.register(api, "/boxes")
CrateResource.register(api, "/crates")
ShownThings.register(api, "/shown")
NewThings.register(api, "/new")
