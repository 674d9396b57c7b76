"""A music shop: albums of which some exist for no caller, labels with text keys, a column that few may read."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from flask import Blueprint
from marshmallow import fields
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship

from core.access import PUBLIC
from core.access import permission
from core.crud import Crud
from core.data.models import Versioned
from core.data.models import exact
from core.fields.schemas import ModelSchema
from core.forms import model_form
from core.pages import Pages
from core.rest import Api
from core.rest import ModelResource
from services import NAMING_CONVENTION

OPEN = dict.fromkeys(("list", "get", "create", "update", "delete"), PUBLIC)
COST = permission("shop.cost.read")


class Base(DeclarativeBase):
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


track_label = sa.Table(
    "shop_track_label",
    Base.metadata,
    sa.Column("track_id", sa.ForeignKey("shop_track.id"), primary_key=True),
    sa.Column("label_code", exact(10), sa.ForeignKey("shop_label.code"), primary_key=True),
)


class Artist(Base):
    __tablename__ = "shop_artist"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))
    albums: Mapped[list["Album"]] = relationship(back_populates="artist")

    def __str__(self) -> str:
        return self.name


class Album(Base):
    __tablename__ = "shop_album"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(40))
    cost: Mapped[int] = mapped_column(default=0, info={"read": COST})
    artist_id: Mapped[int] = mapped_column(sa.ForeignKey("shop_artist.id"))
    artist: Mapped[Artist] = relationship(back_populates="albums")

    def __str__(self) -> str:
        return self.title


class Label(Base):
    __tablename__ = "shop_label"

    code: Mapped[str] = mapped_column(exact(10), primary_key=True)
    is_deleted: Mapped[bool] = mapped_column(default=False, info={"hidden": True})

    def __str__(self) -> str:
        return self.code


class Track(Versioned, Base):
    __tablename__ = "shop_track"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))
    remark: Mapped[str | None] = mapped_column(sa.String(40), info={"read": COST})
    album_id: Mapped[int] = mapped_column(sa.ForeignKey("shop_album.id"))
    album: Mapped[Album] = relationship(foreign_keys=[album_id])
    other_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shop_album.id"))
    labels: Mapped[list[Label]] = relationship(secondary=track_label)

    def __str__(self) -> str:
        return self.name


class Genre(Base):
    """A tree."""

    __tablename__ = "shop_genre"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shop_genre.id"))
    parent: Mapped["Genre | None"] = relationship(remote_side=[id], back_populates="children")
    children: Mapped[list["Genre"]] = relationship(back_populates="parent")

    def __str__(self) -> str:
        return self.name


class Place(Base):
    __tablename__ = "shop_place"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(10))
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "place"}


class Hall(Place):
    """In a table beside that of places."""

    __tablename__ = "shop_hall"

    id: Mapped[int] = mapped_column(sa.ForeignKey("shop_place.id"), primary_key=True)
    seats: Mapped[int] = mapped_column(default=0)
    __mapper_args__ = {"polymorphic_identity": "hall"}

    def __str__(self) -> str:
        return f"Hall {self.id}"


class Concert(Versioned, Base):
    """Shown without foreign keys: its hall by the relationship alone."""

    __tablename__ = "shop_concert"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(40))
    hall_id: Mapped[int] = mapped_column(sa.ForeignKey("shop_hall.id"))
    hall: Mapped[Hall] = relationship()


class Entry(Base):
    """A line of a chart, which is written with it."""

    __tablename__ = "shop_entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    chart_id: Mapped[int] = mapped_column(sa.ForeignKey("shop_chart.id"))
    album_id: Mapped[int] = mapped_column(sa.ForeignKey("shop_album.id"))
    album: Mapped[Album] = relationship()


class Chart(Base):
    __tablename__ = "shop_chart"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))
    entries: Mapped[list[Entry]] = relationship(cascade="all, delete-orphan")


class Artists(Crud):
    model = Artist
    search = ("name", "albums.title")
    filters = {"albums.title": ("eq",)}
    access = OPEN


class Albums(Crud):
    model = Album
    search = ("title",)
    filters = {"cost": ("eq", "gte"), "title": ("eq",)}
    sorts = ("title", "cost")
    order = ("-cost",)
    access = OPEN

    def select(self) -> sa.Select[Any]:
        return sa.select(Album).where(Album.id > 2)


class Labels(Crud):
    model = Label
    access = OPEN

    def select(self) -> sa.Select[Any]:
        return sa.select(Label).where(~Label.is_deleted)


class Tracks(Crud):
    model = Track
    search = ("name", "remark", "album.title", "labels.code")
    filters = {
        "album_id": ("eq",),
        "album.title": ("eq", "ne"),
        "album.cost": ("eq",),
        "labels.code": ("eq",),
        "remark": ("eq",),
    }
    sorts = ("name", "album.title", "album.cost", "remark")
    access = OPEN


class Genres(Crud):
    model = Genre
    search = ("name", "parent.name")
    filters = {"parent.name": ("eq",), "children.name": ("eq",)}
    sorts = ("parent.name",)
    access = OPEN

    def select(self) -> sa.Select[Any]:
        return sa.select(Genre).where(Genre.name != "Hidden")


class Halls(Crud):
    model = Hall
    access = OPEN

    def select(self) -> sa.Select[Any]:
        return sa.select(Hall).where(Hall.seats > 0)


class Concerts(Crud):
    model = Concert
    access = OPEN


class Charts(Crud):
    model = Chart
    access = OPEN

    def create(self, data: Mapping[str, Any]) -> Any:
        return super().create(self._rows(data))

    def update(self, item: Any, data: Mapping[str, Any], version: int | None = None) -> Any:
        return super().update(item, self._rows(data), version)

    def _rows(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return {**data, "entries": [Entry(**entry) for entry in data["entries"]]}


halls = Halls()
artists, albums, labels, tracks = Artists(), Albums(), Labels(), Tracks()

bp = Blueprint("shop", __name__, url_prefix="/shop")
v1 = Blueprint("v1", __name__, url_prefix="/v1")
api = Api(v1)


class ArtistSchema(ModelSchema):
    class Meta:
        model = Artist
        include_relationships = True


class AlbumSchema(ModelSchema):
    class Meta:
        model = Album


class LabelSchema(ModelSchema):
    class Meta:
        model = Label


class TrackSchema(ModelSchema):
    class Meta:
        model = Track
        include_relationships = True


class PlainTrackSchema(ModelSchema):
    class Meta:
        model = Track


class ArtistResource(ModelResource):
    verbs = artists
    schema = ArtistSchema
    includes = {"albums": AlbumSchema}


class AlbumResource(ModelResource):
    verbs = albums
    schema = AlbumSchema


class LabelResource(ModelResource):
    verbs = labels
    schema = LabelSchema


class TrackResource(ModelResource):
    verbs = tracks
    schema = TrackSchema
    includes = {"album": AlbumSchema, "labels": LabelSchema}


class PlainTrackResource(ModelResource):
    """The same rows without relationships: the fast reader's."""

    verbs = tracks
    schema = PlainTrackSchema
    includes = {"album": AlbumSchema}


class GenreSchema(ModelSchema):
    class Meta:
        model = Genre
        include_relationships = True


class PlainGenreSchema(ModelSchema):
    class Meta:
        model = Genre


class GenreResource(ModelResource):
    verbs = Genres()
    schema = GenreSchema
    includes = {"parent": PlainGenreSchema, "children": PlainGenreSchema}


class ConcertSchema(ModelSchema):
    class Meta:
        model = Concert
        include_fk = False
        include_relationships = True


class ConcertResource(ModelResource):
    verbs = Concerts()
    schema = ConcertSchema


class PlainConcertSchema(ModelSchema):
    class Meta:
        model = Concert


class PlainConcertResource(ModelResource):
    verbs = ConcertResource.verbs
    schema = PlainConcertSchema


class EntrySchema(ModelSchema):
    class Meta:
        model = Entry
        fields = ("album_id",)


class ChartSchema(ModelSchema):
    entries = fields.List(fields.Nested(EntrySchema))

    class Meta:
        model = Chart


class ChartResource(ModelResource):
    verbs = Charts()
    schema = ChartSchema
    allow = ("get", "create", "update")


ChartResource.register(api, "/charts")
GenreResource.register(api, "/genres")
ConcertResource.register(api, "/concerts")
PlainConcertResource.register(api, "/plain-concerts")
ArtistResource.register(api, "/artists")
AlbumResource.register(api, "/albums")
LabelResource.register(api, "/labels")
TrackResource.register(api, "/tracks")
PlainTrackResource.register(api, "/plain")


class ArtistPages(Pages):
    verbs = artists
    form = model_form(Artist)
    columns = ("name", "albums")
    details = ("name", "albums")


class AlbumPages(Pages):
    verbs = albums
    form = model_form(Album)
    columns = ("title", "cost", "artist")


class TrackPages(Pages):
    verbs = tracks
    form = model_form(Track)
    columns = ("name", "remark", "album", "labels")


class GenrePages(Pages):
    verbs = GenreResource.verbs
    form = model_form(Genre)
    columns = ("name", "parent", "children")
    details = ("name", "parent", "children")


GenrePages.register(bp, "/genres")
ArtistPages.register(bp, "/artists")
AlbumPages.register(bp, "/albums")
TrackPages.register(bp, "/tracks")
bp.register_blueprint(v1)
