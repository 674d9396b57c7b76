"""A module of what engines treat differently: texts, keys that are texts, decimals, JSON, rules of a table.

It has a Base of its own, so that no other test finds its tables in the shared metadata.
"""

import enum
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from flask import Blueprint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from core.crud import Crud
from core.data.models import UtcDateTime
from core.data.models import Versioned
from core.data.models import exact
from core.fields.schemas import ModelSchema
from core.forms import model_form
from core.pages import Pages
from core.rest import Api
from core.rest import ModelResource
from services import NAMING_CONVENTION


class Base(DeclarativeBase):
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Sort(enum.Enum):
    WHITE = 1
    RED = 2
    rose = 3


class Wine(Versioned, Base):
    """A row with a text that compares by characters, and one of which nothing is said."""

    __tablename__ = "winery_wine"
    __table_args__ = (sa.Index(None, "name"), sa.Index(None, "label"))

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(exact(40))
    label: Mapped[str | None] = mapped_column(sa.String(40))
    sort: Mapped[Sort | None]


class Grape(Base):
    """A row whose key is a text of which nothing is said."""

    __tablename__ = "winery_grape"

    code: Mapped[str] = mapped_column(sa.String(20), primary_key=True)

    def __str__(self) -> str:
        return self.code


class Harvest(Base):
    """A row whose key is a moment."""

    __tablename__ = "winery_harvest"

    at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)


class Cask(Base):
    """A row whose key is a choice."""

    __tablename__ = "winery_cask"

    sort: Mapped[Sort] = mapped_column(sa.Enum(Sort, native_enum=False, length=10), primary_key=True)


class Bottle(Versioned, Base):
    """A row of a table with rules."""

    __tablename__ = "winery_bottle"
    __table_args__ = (
        sa.CheckConstraint("price > 0", "price_positive", info={"message": "A price is above 0: leave it out."}),
        sa.CheckConstraint("ends > begins", "time", info={"message": "It ends after it begins."}),
        sa.CheckConstraint("slot <> 13 AND label <> 'shelf'", "unlucky_slot"),
        sa.UniqueConstraint("shelf", "slot", info={"message": "There is a bottle already."}),
        sa.Index("uq_winery_bottle_code", "code", unique=True, info={"message": "Take another code."}),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(sa.String(40), default="")
    code: Mapped[str | None] = mapped_column(exact(10))
    price: Mapped[Decimal | None] = mapped_column(sa.Numeric(10, 2))
    begins: Mapped[int | None]
    ends: Mapped[int | None]
    shelf: Mapped[int | None]
    slot: Mapped[int | None]
    volume: Mapped[Decimal | None] = mapped_column(sa.Numeric(18, 4))
    data: Mapped[Any | None] = mapped_column(sa.JSON().with_variant(JSONB(), "postgresql"))


_free = ExcludeConstraint((sa.text("int4range(begins, ends)"), "&&"), name="free", where=sa.text("shelf = 7"))
# It takes no info of its own.
_free.info["message"] = "These years are taken."
Bottle.__table__.append_constraint(_free.ddl_if(dialect="postgresql"))


class Wines(Crud):
    model = Wine
    search = ("name", "label")
    filters = {
        "name": ("eq", "ne", "gt", "gte", "lt", "lte", "in", "startswith", "contains", "isnull"),
        "label": ("eq", "ne", "gt", "gte", "lt", "lte", "in", "startswith", "contains", "isnull"),
        "sort": ("gt", "lt"),
    }
    sorts = ("id", "name", "label", "sort")


class Grapes(Crud):
    model = Grape


class Bottles(Crud):
    model = Bottle
    filters = {"volume": ("eq", "gte", "lt", "in")}
    sorts = ("volume",)


class Harvests(Crud):
    model = Harvest


class Casks(Crud):
    model = Cask


wines = Wines()
harvests = Harvests()
casks = Casks()
grapes = Grapes()
bottles = Bottles()


class WineSchema(ModelSchema):
    class Meta:
        model = Wine


class GrapeSchema(ModelSchema):
    class Meta:
        model = Grape


class BottleSchema(ModelSchema):
    class Meta:
        model = Bottle


class HarvestSchema(ModelSchema):
    class Meta:
        model = Harvest


class CaskSchema(ModelSchema):
    class Meta:
        model = Cask


class WineResource(ModelResource):
    verbs = wines
    schema = WineSchema


class GrapeResource(ModelResource):
    verbs = grapes
    schema = GrapeSchema


class BottleResource(ModelResource):
    verbs = bottles
    schema = BottleSchema


class BottlePages(Pages):
    verbs = bottles
    form = model_form(Bottle)
    columns = ("id",)


class GrapePages(Pages):
    verbs = grapes
    form = model_form(Grape)
    columns = ("code",)


class HarvestResource(ModelResource):
    verbs = harvests
    schema = HarvestSchema


class HarvestPages(Pages):
    verbs = harvests
    form = model_form(Harvest)
    columns = ("at",)


class CaskResource(ModelResource):
    verbs = casks
    schema = CaskSchema


class CaskPages(Pages):
    verbs = casks
    form = model_form(Cask)
    columns = ("sort",)


bp = Blueprint("winery", __name__, url_prefix="/winery")
api = Api(bp, prefix="/data")
WineResource.register(api, "/wines")
GrapeResource.register(api, "/grapes")
BottleResource.register(api, "/bottles")
BottlePages.register(bp, "/bottles")
GrapePages.register(bp, "/grapes")
HarvestResource.register(api, "/harvests")
HarvestPages.register(bp, "/harvests")
CaskResource.register(api, "/casks")
CaskPages.register(bp, "/casks")
