"""Offices: desks point to rooms by two columns, and some rooms exist for no caller."""

from typing import Any

import sqlalchemy as sa
from flask import Blueprint
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship

from core.access import PUBLIC
from core.crud import Crud
from core.data.models import Versioned
from core.fields.schemas import ModelSchema
from core.forms import model_form
from core.pages import Pages
from core.rest import Api
from core.rest import ModelResource
from services import NAMING_CONVENTION

OPEN = dict.fromkeys(("list", "get", "create", "update", "delete"), PUBLIC)


class Base(DeclarativeBase):
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Room(Base):
    __tablename__ = "offices_room"
    __table_args__ = (sa.UniqueConstraint("floor", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    floor: Mapped[int]
    number: Mapped[int]
    is_closed: Mapped[bool] = mapped_column(default=False, info={"hidden": True})
    label: Mapped[str] = mapped_column(sa.String(20))

    def __str__(self) -> str:
        return self.label


class Desk(Versioned, Base):
    __tablename__ = "offices_desk"
    __table_args__ = (sa.ForeignKeyConstraint(["floor", "room"], ["offices_room.floor", "offices_room.number"]),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(20))
    floor: Mapped[int | None]
    room: Mapped[int | None]
    place: Mapped[Room | None] = relationship()

    def __str__(self) -> str:
        return self.name


class Rooms(Crud):
    model = Room
    access = OPEN

    def select(self) -> sa.Select[Any]:
        return sa.select(Room).where(~Room.is_closed)


class Desks(Crud):
    model = Desk
    search = ("name", "place.label")
    filters = {"place.label": ("eq",)}
    sorts = ("place.label",)
    access = OPEN


class RoomSchema(ModelSchema):
    class Meta:
        model = Room


class DeskSchema(ModelSchema):
    class Meta:
        model = Desk
        include_relationships = True


class PlainDeskSchema(ModelSchema):
    class Meta:
        model = Desk


class RoomResource(ModelResource):
    verbs = Rooms()
    schema = RoomSchema


class DeskResource(ModelResource):
    verbs = Desks()
    schema = DeskSchema
    includes = {"place": RoomSchema}


class PlainDeskResource(ModelResource):
    verbs = DeskResource.verbs
    schema = PlainDeskSchema
    includes = {"place": RoomSchema}


class DeskPages(Pages):
    verbs = DeskResource.verbs
    form = model_form(Desk)
    columns = ("name", "place")


bp = Blueprint("offices", __name__, url_prefix="/offices")
v1 = Blueprint("v1", __name__, url_prefix="/v1")
api = Api(v1)
RoomResource.register(api, "/rooms")
DeskResource.register(api, "/desks")
PlainDeskResource.register(api, "/plain")
DeskPages.register(bp, "/desks")
bp.register_blueprint(v1)
