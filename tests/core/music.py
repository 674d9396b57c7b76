"""A record shop as the tests of choices need one: relations to many rows, to private ones, and to composite keys.

It has a Base of its own, so that no other test finds its tables in the shared metadata.
"""

from datetime import datetime
from datetime import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

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
from core.data.models import Money
from core.data.models import UtcDateTime
from core.data.models import Versioned
from core.data.models import exact
from core.forms import model_form
from core.pages import Pages
from services import NAMING_CONVENTION


class Base(DeclarativeBase):
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Genre(Base):
    __tablename__ = "music_genre"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40), index=True)
    discs: Mapped[list["Disc"]] = relationship(back_populates="genre", passive_deletes="all")

    def __str__(self) -> str:
        return self.name


class Track(Base):
    """A row that many discs may have."""

    __tablename__ = "music_track"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(40))

    def __str__(self) -> str:
        return self.title


class Box(Base):
    """A row that needs a permission."""

    __tablename__ = "music_box"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))

    def __str__(self) -> str:
        return self.name


class Label(Base):
    """A row of which one may list one's own."""

    __tablename__ = "music_label"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))
    owner_key: Mapped[str | None] = mapped_column(exact(64))

    def __str__(self) -> str:
        return self.name


class Shelf(Base):
    """A row whose key has several columns, one of them any text."""

    __tablename__ = "music_shelf"

    room: Mapped[str] = mapped_column(exact(20), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)

    def __str__(self) -> str:
        return f"Shelf {self.room}/{self.number}"


disc_track = sa.Table(
    "music_disc_track",
    Base.metadata,
    sa.Column("disc_id", sa.ForeignKey("music_disc.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("track_id", sa.ForeignKey("music_track.id", ondelete="CASCADE"), primary_key=True),
)
disc_label = sa.Table(
    "music_disc_label",
    Base.metadata,
    sa.Column("disc_id", sa.ForeignKey("music_disc.id"), primary_key=True),
    sa.Column("label_id", sa.ForeignKey("music_label.id"), primary_key=True),
)


class Disc(Versioned, Base):
    __tablename__ = "music_disc"
    __table_args__ = (
        sa.ForeignKeyConstraint(["room", "place"], ["music_shelf.room", "music_shelf.number"], name="shelf"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))
    stock: Mapped[int] = mapped_column(default=0)
    price: Mapped[Decimal | None] = mapped_column(Money(8, 2))
    notes: Mapped[str | None] = mapped_column(sa.Text)
    made_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    opens: Mapped[time | None]
    length: Mapped[timedelta | None] = mapped_column(sa.Interval)
    genre_id: Mapped[int | None] = mapped_column(sa.ForeignKey("music_genre.id"), index=True)
    genre: Mapped[Genre | None] = relationship(back_populates="discs")
    box_id: Mapped[int] = mapped_column(sa.ForeignKey("music_box.id"))
    box: Mapped[Box] = relationship()
    room: Mapped[str | None] = mapped_column(exact(20))
    place: Mapped[int | None]
    shelf: Mapped[Shelf | None] = relationship()
    tracks: Mapped[list[Track]] = relationship(secondary=disc_track, backref="discs")
    labels: Mapped[list[Label]] = relationship(secondary=disc_label)

    def __str__(self) -> str:
        return self.name


class Review(Base):
    """A row that goes with its disc, by the database."""

    __tablename__ = "music_review"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(sa.String(40))
    disc_id: Mapped[int] = mapped_column(sa.ForeignKey("music_disc.id", ondelete="CASCADE"), index=True)

    def __str__(self) -> str:
        return self.text


class Loan(Base):
    """A row that forgets its disc, by the database."""

    __tablename__ = "music_loan"

    id: Mapped[int] = mapped_column(primary_key=True)
    disc_id: Mapped[int | None] = mapped_column(sa.ForeignKey("music_disc.id", ondelete="SET NULL"))


class Order(Base):
    """A row that keeps its disc from being deleted."""

    __tablename__ = "music_order"

    id: Mapped[int] = mapped_column(primary_key=True)
    disc_id: Mapped[int] = mapped_column(sa.ForeignKey("music_disc.id"))
    disc: Mapped[Disc] = relationship(backref="orders")


class Memo(Base):
    """A row without a version."""

    __tablename__ = "music_memo"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(40))
    body: Mapped[str | None] = mapped_column(sa.Text)

    def __str__(self) -> str:
        return self.title


class Genres(Crud):
    model = Genre
    search = ("name",)
    order = ("name",)
    access = dict.fromkeys(("list", "get"), PUBLIC)


class Tracks(Crud):
    model = Track
    filters = {"discs.id": ("eq",)}
    access = dict.fromkeys(("list", "get"), PUBLIC)


class Boxes(Crud):
    model = Box
    access = dict.fromkeys(("list", "get"), permission("music.box.open"))


class Labels(Crud):
    model = Label
    access = dict.fromkeys(("list", "get"), permission("music.label.read", owner="owner_key"))


class Discs(Crud):
    model = Disc
    search = ("name",)
    filters = {
        "genre_id": ("eq",),
        "tracks.id": ("eq",),
        "made_at": ("gte", "lt"),
        "opens": ("eq",),
        "length": ("lte",),
        "price": ("gte", "lte"),
        "stock": ("eq", "gte"),
    }
    sorts = ("name",)


class Orders(Crud):
    model = Order
    access = dict.fromkeys(("list", "get"), permission("music.order.read"))


class Memos(Crud):
    model = Memo


bp = Blueprint("music", __name__, url_prefix="/music")


class DiscPages(Pages):
    verbs = Discs()
    form = model_form(Disc, exclude=("room", "place"))
    columns = ("name", "genre", "tracks", "labels", "stock")


class GenrePages(Pages):
    verbs = Genres()
    form = model_form(Genre)
    columns = ("name", "discs")


class TrackPages(Pages):
    verbs = Tracks()
    columns = ("title",)
    allow = ("list", "get")


class MemoPages(Pages):
    verbs = Memos()
    form = model_form(Memo)
    columns = ("title",)


#: Made so that the policies of their models are known.
boxes, labels, orders = Boxes(), Labels(), Orders()

DiscPages.register(bp, "/discs")
GenrePages.register(bp, "/genres")
TrackPages.register(bp, "/tracks")
MemoPages.register(bp, "/memos")

#: By the header ``X-Who``.
PEOPLE = {
    "clerk": Identity("clerk", "Clerk", frozenset(), via="session"),
    "boss": Identity(
        "boss", "Boss", frozenset({"music.box.open", "music.label.read", "music.order.read"}), via="session"
    ),
}


def plant(session: Any, number: int) -> None:
    """Add so many genres and tracks, one disc that has all tracks, and as many discs of the first genre."""
    keys = range(1, number + 1)
    session.execute(sa.insert(Genre), [{"id": key, "name": f"Genre {key:05}"} for key in keys])
    session.execute(sa.insert(Track), [{"id": key, "title": f"Track {key:05}"} for key in keys])
    session.execute(sa.insert(Box), [{"id": 1, "name": "Secret box"}])
    discs = [{"id": key, "name": f"Disc {key:05}", "box_id": 1, "genre_id": 1, "version": 1} for key in keys]
    session.execute(sa.insert(Disc.__table__), discs)
    session.execute(sa.insert(disc_track), [{"disc_id": 1, "track_id": key} for key in keys])
    session.execute(sa.insert(Review), [{"text": f"Review {key:05}", "disc_id": 1} for key in keys])
    if session.get_bind().dialect.name == "postgresql":
        # Its sequence does not know of keys that were given.
        session.execute(sa.text(f"SELECT setval('music_disc_id_seq', {number})"))
    session.commit()
