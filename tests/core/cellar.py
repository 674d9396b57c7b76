"""A module of what engines treat differently: texts, keys that are texts, decimals, JSON, rules of a table.

It has a Base of its own, so that no other test finds its tables in the shared metadata.
"""

import enum

import sqlalchemy as sa
from flask import Blueprint
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from core.crud import Crud
from core.models import Versioned
from core.models import exact
from core.rest import Api
from core.rest import ModelResource
from core.schemas import ModelSchema
from services import NAMING_CONVENTION


class Base(DeclarativeBase):
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Sort(enum.Enum):
    WHITE = 1
    RED = 2
    rose = 3


class Wine(Versioned, Base):
    """A row with a text that compares by characters, and one of which nothing is said."""

    __tablename__ = "cellar_wine"
    __table_args__ = (sa.Index(None, "name"), sa.Index(None, "label"))

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(exact(40))
    label: Mapped[str | None] = mapped_column(sa.String(40))
    sort: Mapped[Sort | None]


class Grape(Base):
    """A row whose key is a text of which nothing is said."""

    __tablename__ = "cellar_grape"

    code: Mapped[str] = mapped_column(sa.String(20), primary_key=True)


class Wines(Crud):
    model = Wine
    search = ("name", "label")
    filters = {
        "name": ("eq", "ne", "gt", "gte", "lt", "lte", "in", "startswith", "isnull"),
        "label": ("eq", "ne", "gt", "gte", "lt", "lte", "in", "startswith", "isnull"),
        "sort": ("gt", "lt"),
    }
    sorts = ("id", "name", "label", "sort")


class Grapes(Crud):
    model = Grape


wines = Wines()
grapes = Grapes()


class WineSchema(ModelSchema):
    class Meta:
        model = Wine


class GrapeSchema(ModelSchema):
    class Meta:
        model = Grape


class WineResource(ModelResource):
    verbs = wines
    schema = WineSchema


class GrapeResource(ModelResource):
    verbs = grapes
    schema = GrapeSchema


bp = Blueprint("cellar", __name__, url_prefix="/cellar")
api = Api(bp, prefix="/data")
WineResource.register(api, "/wines")
GrapeResource.register(api, "/grapes")
