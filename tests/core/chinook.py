"""Chinook, a published schema of a music shop with its own names: its tables, and a declaration for each."""

from datetime import datetime
from decimal import Decimal

from flask import Blueprint
from sqlalchemy import Column
from sqlalchemy import ForeignKey
from sqlalchemy import MetaData
from sqlalchemy import String
from sqlalchemy import Table
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship

from core.data.models import Money
from core.data.models import UtcDateTime
from core.resources import Resource
from services import NAMING_CONVENTION

bp = Blueprint("chinook", __name__, url_prefix="/chinook")


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Artist(Base):
    __tablename__ = "Artist"

    id: Mapped[int] = mapped_column("ArtistId", primary_key=True)
    name: Mapped[str] = mapped_column("Name", String(120), index=True)
    albums: Mapped[list["Album"]] = relationship(back_populates="artist")

    def __str__(self) -> str:
        return self.name


class Album(Base):
    __tablename__ = "Album"

    id: Mapped[int] = mapped_column("AlbumId", primary_key=True)
    title: Mapped[str] = mapped_column("Title", String(160))
    artist_id: Mapped[int] = mapped_column("ArtistId", ForeignKey(Artist.id), index=True)
    artist: Mapped[Artist] = relationship(back_populates="albums")
    tracks: Mapped[list["Track"]] = relationship(back_populates="album")

    def __str__(self) -> str:
        return self.title


class Genre(Base):
    __tablename__ = "Genre"

    id: Mapped[int] = mapped_column("GenreId", primary_key=True)
    name: Mapped[str] = mapped_column("Name", String(120), unique=True)

    def __str__(self) -> str:
        return self.name


class MediaType(Base):
    __tablename__ = "MediaType"

    id: Mapped[int] = mapped_column("MediaTypeId", primary_key=True)
    name: Mapped[str] = mapped_column("Name", String(120))

    def __str__(self) -> str:
        return self.name


class Track(Base):
    __tablename__ = "Track"

    id: Mapped[int] = mapped_column("TrackId", primary_key=True)
    name: Mapped[str] = mapped_column("Name", String(200), index=True)
    album_id: Mapped[int | None] = mapped_column("AlbumId", ForeignKey(Album.id), index=True)
    album: Mapped[Album | None] = relationship(back_populates="tracks")
    media_type_id: Mapped[int] = mapped_column("MediaTypeId", ForeignKey(MediaType.id), index=True)
    media_type: Mapped[MediaType] = relationship()
    genre_id: Mapped[int | None] = mapped_column("GenreId", ForeignKey(Genre.id), index=True)
    genre: Mapped[Genre | None] = relationship()
    composer: Mapped[str | None] = mapped_column("Composer", String(220))
    milliseconds: Mapped[int] = mapped_column("Milliseconds", info={"min": 0})
    bytes: Mapped[int | None] = mapped_column("Bytes")
    unit_price: Mapped[Decimal] = mapped_column("UnitPrice", Money(10, 2))
    playlists: Mapped[list["Playlist"]] = relationship(secondary="PlaylistTrack", back_populates="tracks")

    def __str__(self) -> str:
        return self.name


playlist_track = Table(
    "PlaylistTrack",
    Base.metadata,
    Column("PlaylistId", ForeignKey("Playlist.PlaylistId"), primary_key=True),
    Column("TrackId", ForeignKey("Track.TrackId"), primary_key=True, index=True),
)


class Playlist(Base):
    __tablename__ = "Playlist"

    id: Mapped[int] = mapped_column("PlaylistId", primary_key=True)
    name: Mapped[str] = mapped_column("Name", String(120))
    tracks: Mapped[list[Track]] = relationship(secondary=playlist_track, back_populates="playlists")

    def __str__(self) -> str:
        return self.name


class Employee(Base):
    __tablename__ = "Employee"

    id: Mapped[int] = mapped_column("EmployeeId", primary_key=True)
    last_name: Mapped[str] = mapped_column("LastName", String(20), index=True)
    first_name: Mapped[str] = mapped_column("FirstName", String(20))
    reports_to_id: Mapped[int | None] = mapped_column("ReportsTo", ForeignKey("Employee.EmployeeId"), index=True)
    reports_to: Mapped["Employee | None"] = relationship(remote_side=[id], back_populates="reports")
    reports: Mapped[list["Employee"]] = relationship(back_populates="reports_to")
    hired_at: Mapped[datetime | None] = mapped_column("HireDate", UtcDateTime)

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}"


class Customer(Base):
    __tablename__ = "Customer"

    id: Mapped[int] = mapped_column("CustomerId", primary_key=True)
    email: Mapped[str] = mapped_column("Email", String(60), unique=True)
    support_rep_id: Mapped[int | None] = mapped_column("SupportRepId", ForeignKey(Employee.id), index=True)
    support_rep: Mapped[Employee | None] = relationship()

    def __str__(self) -> str:
        return self.email


class Invoice(Base):
    __tablename__ = "Invoice"

    id: Mapped[int] = mapped_column("InvoiceId", primary_key=True)
    customer_id: Mapped[int] = mapped_column("CustomerId", ForeignKey(Customer.id), index=True)
    customer: Mapped[Customer] = relationship()
    invoiced_at: Mapped[datetime] = mapped_column("InvoiceDate", UtcDateTime, index=True)
    total: Mapped[Decimal] = mapped_column("Total", Money(10, 2), default=0)
    lines: Mapped[list["InvoiceLine"]] = relationship(back_populates="invoice", cascade="all, delete-orphan")

    def __str__(self) -> str:
        return f"Invoice {self.id}"


class InvoiceLine(Base):
    __tablename__ = "InvoiceLine"

    id: Mapped[int] = mapped_column("InvoiceLineId", primary_key=True)
    invoice_id: Mapped[int] = mapped_column("InvoiceId", ForeignKey(Invoice.id), index=True)
    invoice: Mapped[Invoice] = relationship(back_populates="lines")
    track_id: Mapped[int] = mapped_column("TrackId", ForeignKey(Track.id), index=True)
    track: Mapped[Track] = relationship()
    unit_price: Mapped[Decimal] = mapped_column("UnitPrice", Money(10, 2))
    quantity: Mapped[int] = mapped_column("Quantity", info={"min": 1})

    def __str__(self) -> str:
        return f"{self.quantity} × {self.track}"


# --- declarations ---


class Artists(Resource):
    model = Artist


class Albums(Resource):
    model = Album


class Genres(Resource):
    model = Genre


class MediaTypes(Resource):
    model = MediaType


class Tracks(Resource):
    model = Track


class Playlists(Resource):
    model = Playlist


class Employees(Resource):
    model = Employee


class Customers(Resource):
    model = Customer


class Invoices(Resource):
    model = Invoice


class InvoiceLines(Resource):
    model = InvoiceLine


Artists.register(bp)
Albums.register(bp)
Genres.register(bp)
MediaTypes.register(bp)
Tracks.register(bp)
Playlists.register(bp)
Employees.register(bp)
Customers.register(bp)
Invoices.register(bp)
InvoiceLines.register(bp)
