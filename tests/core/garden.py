"""An allotment garden: beds that only their tenants may read, and public plants."""

import sqlalchemy as sa
from flask import Blueprint
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship

from core.access import PUBLIC
from core.access import Identity
from core.access import permission
from core.crud import Crud
from core.data.models import Owned
from core.data.models import Versioned
from core.fields.schemas import ModelSchema
from core.forms import model_form
from core.pages import Pages
from core.rest import Api
from core.rest import ModelResource
from services import NAMING_CONVENTION


class Base(DeclarativeBase):
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


plant_helper = sa.Table(
    "garden_plant_helper",
    Base.metadata,
    sa.Column("plant_id", sa.ForeignKey("garden_plant.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("bed_id", sa.ForeignKey("garden_bed.id"), primary_key=True),
)


class Bed(Owned, Versioned, Base):
    __tablename__ = "garden_bed"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(20))

    def __str__(self) -> str:
        return self.name


class Plant(Owned, Versioned, Base):
    __tablename__ = "garden_plant"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(20))
    bed_id: Mapped[int | None] = mapped_column(sa.ForeignKey("garden_bed.id"))
    bed: Mapped[Bed | None] = relationship()
    helpers: Mapped[list[Bed]] = relationship(secondary=plant_helper)

    def __str__(self) -> str:
        return self.name


class Beds(Crud):
    model = Bed
    access = dict.fromkeys(("list", "get", "update", "delete"), permission("garden.bed.read", owner="owner_key"))


class Plants(Crud):
    model = Plant
    access = {
        **dict.fromkeys(("list", "get"), PUBLIC),
        **dict.fromkeys(("create", "update", "delete"), permission("garden.plant.edit", owner="owner_key")),
    }


beds, plants = Beds(), Plants()

bp = Blueprint("garden", __name__, url_prefix="/garden")
v1 = Blueprint("v1", __name__, url_prefix="/v1")
api = Api(v1)


class BedSchema(ModelSchema):
    class Meta:
        model = Bed


class PlantSchema(ModelSchema):
    class Meta:
        model = Plant


class LinkedPlantSchema(ModelSchema):
    class Meta:
        model = Plant
        include_fk = False
        include_relationships = True


class BedResource(ModelResource):
    verbs = beds
    schema = BedSchema
    allow = ("list", "get", "delete")


class PlantResource(ModelResource):
    verbs = plants
    schema = PlantSchema


class LinkedPlantResource(ModelResource):
    """The same rows, with relationships for foreign keys."""

    verbs = plants
    schema = LinkedPlantSchema


BedResource.register(api, "/beds")
PlantResource.register(api, "/plants")
LinkedPlantResource.register(api, "/linked")


class PlantPages(Pages):
    verbs = plants
    form = model_form(Plant, exclude=("owner_key",))
    columns = ("name", "bed", "helpers")


PlantPages.register(bp, "/plants")
bp.register_blueprint(v1)

#: By the header ``X-Who``.
PEOPLE = {key: Identity(key, key.title(), frozenset({"garden.plant.edit"}), via="session") for key in ("ada", "ben")}
