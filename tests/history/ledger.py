"""A module whose rows have a history: a column of every kind, links, a secret, and rows that have none."""

import enum
import uuid
from datetime import date
from datetime import datetime
from datetime import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from flask import Blueprint
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import relationship

from core.access import PUBLIC
from core.access import permission
from core.crud import Crud
from core.data.models import Money
from core.data.models import Owned
from core.data.models import Timestamped
from core.data.models import UtcDateTime
from core.data.models import Versioned
from core.fields.schemas import ModelSchema
from core.forms import model_form
from core.pages import Pages
from core.rest import Api
from core.rest import ModelResource
from services import NAMING_CONVENTION


class Base(DeclarativeBase):
    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


class Kind(enum.Enum):
    INCOME = "Income"
    EXPENSE = "Expense"


class Group(Base):
    """A row without a version."""

    __tablename__ = "ledger_group"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40), unique=True)
    entries: Mapped[list["Entry"]] = relationship(back_populates="group", passive_deletes="all")

    def __str__(self) -> str:
        return self.name


class Label(Versioned, Base):
    __tablename__ = "ledger_label"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40), unique=True)

    def __str__(self) -> str:
        return self.name


entry_label = sa.Table(
    "ledger_entry_label",
    Base.metadata,
    sa.Column("entry_id", sa.ForeignKey("ledger_entry.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("label_id", sa.ForeignKey("ledger_label.id", ondelete="CASCADE"), primary_key=True, index=True),
)


class Entry(Owned, Timestamped, Versioned, Base):
    __tablename__ = "ledger_entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(40))
    amount: Mapped[Decimal] = mapped_column(Money(10, 2), default=Decimal(0))
    day: Mapped[date | None]
    clock: Mapped[time | None] = mapped_column(sa.Time().with_variant(mysql.TIME(fsp=6), "mysql", "mariadb"))
    span: Mapped[timedelta | None]
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    local: Mapped[datetime | None] = mapped_column(
        sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    )
    kind: Mapped[Kind] = mapped_column(sa.Enum(Kind, native_enum=False, length=20), default=Kind.INCOME)
    mood: Mapped[str | None] = mapped_column(sa.Enum("calm", "wild", native_enum=False, length=20))
    data: Mapped[Any] = mapped_column(sa.JSON(none_as_null=True), nullable=True)
    blob: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    ratio: Mapped[float | None] = mapped_column(sa.Double)
    token: Mapped[uuid.UUID | None]
    flag: Mapped[bool | None]
    big: Mapped[int | None] = mapped_column(sa.BigInteger)
    stock: Mapped[int] = mapped_column(server_default="7")
    pin: Mapped[str | None] = mapped_column(sa.String(40), info={"secret": True})
    reads: Mapped[int] = mapped_column(default=0, info={"recorded": False})
    body: Mapped[str | None] = mapped_column(sa.Text, deferred=True)
    group_id: Mapped[int | None] = mapped_column(sa.ForeignKey("ledger_group.id"), info={"label": "Belongs to"})
    group: Mapped[Group | None] = relationship(back_populates="entries")
    labels: Mapped[list[Label]] = relationship(secondary=entry_label, order_by=Label.name)

    def __str__(self) -> str:
        return self.title


class Draft(Base):
    """Served, and of no history."""

    __tablename__ = "ledger_draft"
    __recorded__ = False

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(sa.String(40))


class Stamp(Base):
    """Not served, and not recorded for that."""

    __tablename__ = "ledger_stamp"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(sa.String(40))


class Entries(Crud):
    model = Entry
    access = {
        "list": PUBLIC,
        "get": PUBLIC,
        "create": permission("ledger.entry.add"),
        "update": permission("ledger.entry.edit", owner="owner_key"),
        "delete": permission("ledger.entry.edit", owner="owner_key"),
    }

    def check(self, item: Entry) -> None:
        """Leave no negative stock."""


class Groups(Crud):
    model = Group
    access = dict.fromkeys(("list", "get"), PUBLIC) | dict.fromkeys(
        ("create", "update", "delete"), permission("ledger.group.edit")
    )


class Labels(Crud):
    """Without a policy."""

    model = Label


class Drafts(Crud):
    model = Draft


entries, groups, labels, drafts = Entries(), Groups(), Labels(), Drafts()

bp = Blueprint("ledger", __name__, url_prefix="/ledger")
v1 = Blueprint("v1", __name__, url_prefix="/api/v1")


class EntryPages(Pages):
    verbs = entries
    form = model_form(Entry, exclude=("blob", "pin"))
    columns = ("title", "amount", "kind")


class GroupPages(Pages):
    verbs = groups
    form = model_form(Group)
    columns = ("name",)


class LabelPages(Pages):
    verbs = labels
    form = model_form(Label)
    columns = ("name",)


class DraftPages(Pages):
    verbs = drafts
    form = model_form(Draft)
    columns = ("text",)


class EntrySchema(ModelSchema):
    class Meta:
        model = Entry


class EntryResource(ModelResource):
    verbs = entries
    schema = EntrySchema


for pages, url in ((EntryPages, "/entries"), (GroupPages, "/groups"), (LabelPages, "/labels"), (DraftPages, "/drafts")):
    pages.register(bp, url)
EntryResource.register(Api(v1), "/entries")
bp.register_blueprint(v1)
