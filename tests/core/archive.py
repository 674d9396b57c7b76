"""A module as the tests of forms and pages need one: a model with a column of every type.

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
from sqlalchemy.orm import column_property
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship
from sqlalchemy.orm import synonym

from core.crud import Crud
from core.data.models import Money
from core.data.models import UtcDateTime
from core.data.models import Versioned
from core.forms import model_form
from core.pages import Pages
from services import NAMING_CONVENTION


class Base(DeclarativeBase):
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Kind(enum.Enum):
    NOTE = 1
    LETTER_HOME = 2


class Folder(Base):
    """A row without a version, whose key a person writes."""

    __tablename__ = "archive_folder"

    code: Mapped[str] = mapped_column(sa.String(8), primary_key=True)
    documents: Mapped[list["Document"]] = relationship(back_populates="folder")

    def __str__(self) -> str:
        return f"Folder {self.code}"


class Tag(Base):
    __tablename__ = "archive_tag"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(20))

    def __str__(self) -> str:
        return self.name


document_tag = sa.Table(
    "archive_document_tag",
    Base.metadata,
    sa.Column("document_id", sa.ForeignKey("archive_document.id"), primary_key=True),
    sa.Column("tag_id", sa.ForeignKey("archive_tag.id"), primary_key=True),
)


class Document(Versioned, Base):
    """A row with a column of every type that forms serve."""

    __tablename__ = "archive_document"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(10), info={"label": "Head", "description": "Short."})
    alias: Mapped[str | None] = mapped_column(sa.String(10))
    body: Mapped[str | None] = mapped_column(sa.Text)
    style: Mapped[str] = mapped_column(sa.String(10), default="plain")
    small: Mapped[int | None] = mapped_column(sa.SmallInteger)
    whole: Mapped[int | None] = mapped_column(info={"min": -5, "max": 50_000})
    big: Mapped[int | None] = mapped_column(sa.BigInteger)
    exact: Mapped[Decimal | None] = mapped_column(sa.Numeric(14, 10).with_variant(Money(14, 10), "sqlite"))
    price: Mapped[Decimal | None] = mapped_column(Money(12, 2))
    ratio: Mapped[float | None] = mapped_column(sa.Double)
    flag: Mapped[bool] = mapped_column(default=True)
    maybe: Mapped[bool | None]
    day: Mapped[date | None]
    hour: Mapped[time | None]
    local: Mapped[datetime | None]
    moment: Mapped[datetime | None] = mapped_column(UtcDateTime)
    kind: Mapped[Kind] = mapped_column(sa.Enum(Kind, native_enum=False, length=20), default=Kind.NOTE)
    other: Mapped[Kind | None] = mapped_column(sa.Enum(Kind, native_enum=False, length=20))
    mood: Mapped[str | None] = mapped_column(sa.Enum("calm", "wild", native_enum=False, length=20))
    data: Mapped[Any] = mapped_column(sa.JSON(none_as_null=True), nullable=True)
    token: Mapped[uuid.UUID | None]
    stamp: Mapped[str | None] = mapped_column(sa.String(10), info={"read_only": True})
    folder_code: Mapped[str | None] = mapped_column(sa.ForeignKey("archive_folder.code"))
    folder: Mapped[Folder | None] = relationship(back_populates="documents")
    cover_id: Mapped[int | None] = mapped_column(sa.ForeignKey("archive_tag.id"))
    tags: Mapped[list[Tag]] = relationship(secondary=document_tag)
    length: Mapped[int] = column_property(sa.func.length(title))
    heading = synonym("title")

    def __str__(self) -> str:
        return self.title


class Documents(Crud):
    model = Document
    search = ("title",)
    filters = {
        "title": ("startswith",),
        "kind": ("eq", "in"),
        "mood": ("eq",),
        "maybe": ("eq", "isnull"),
        "day": ("gte", "lte"),
        "moment": ("gte",),
        "ratio": ("lt",),
        "big": ("gt",),
        "price": ("ne",),
        "folder_code": ("eq",),
        "tags.id": ("eq",),
        "token": ("eq",),
    }


class Folders(Crud):
    model = Folder


bp = Blueprint("archive", __name__, url_prefix="/archive")


class DocumentPages(Pages):
    verbs = Documents()
    form = model_form(Document)
    columns = ("title", "kind", "folder", "tags", "moment")


class FolderPages(Pages):
    verbs = Folders()
    form = model_form(Folder)
    columns = ("code",)


DocumentPages.register(bp, "/documents")
FolderPages.register(bp, "/folders")
