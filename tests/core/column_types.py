"""A module with a column of every type of all engines that schemas serve."""

import enum
from typing import Any

import sqlalchemy as sa
from flask import Blueprint
from sqlalchemy import orm
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import mapped_column

from core.crud import Crud
from core.data.models import Money
from core.data.models import Versioned
from core.fields.schemas import ModelSchema
from core.rest import Api
from core.rest import ModelResource


class Common(orm.DeclarativeBase):
    """Columns of all engines."""


class Metal(enum.Enum):
    GOLD = "Au"
    LEAD = "Pb"


class Upper(sa.TypeDecorator[str]):
    """A text in capitals."""

    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else value.upper()


class Twice(sa.TypeDecorator[str]):
    """A decorator around a decorator."""

    impl = Upper(8)
    cache_ok = True


class CommonRow(Versioned, Common):
    __tablename__ = "column_types_common_row"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(sa.Unicode(20))
    text: Mapped[str | None] = mapped_column(sa.UnicodeText)
    mint: Mapped[str | None] = mapped_column(sa.CHAR(2))
    upper: Mapped[str | None] = mapped_column(Upper(8))
    twice: Mapped[str | None] = mapped_column(Twice)
    metal: Mapped[str | None] = mapped_column(sa.Enum("gold", "lead", name="column_types_metal"))
    alloy: Mapped[Metal | None] = mapped_column(sa.Enum(Metal, native_enum=False, length=20))
    uid: Mapped[str | None] = mapped_column(sa.Uuid(as_uuid=False))
    image: Mapped[bytes | None] = mapped_column(sa.LargeBinary(4))
    clock: Mapped[Any | None] = mapped_column(sa.Time)
    since: Mapped[Any | None] = mapped_column(sa.DateTime(timezone=True))
    local: Mapped[Any | None] = mapped_column(sa.TIMESTAMP)
    span: Mapped[Any | None] = mapped_column(sa.Interval)
    weight: Mapped[Any | None] = mapped_column(sa.Float(asdecimal=True))
    single: Mapped[float | None] = mapped_column(sa.REAL)
    whole: Mapped[Any | None] = mapped_column(sa.Numeric(4).with_variant(Money(4, 0), "sqlite"))
    data: Mapped[Any | None] = mapped_column(
        sa.JSON(none_as_null=True).with_variant(pg.JSONB(none_as_null=True), "postgresql")
    )
    double: Mapped[int | None] = mapped_column(sa.Integer, sa.Computed("length(name)", persisted=True))


class CommonRows(Crud):
    model = CommonRow
    filters = dict.fromkeys(
        ("mint", "upper", "metal", "uid", "clock", "since", "local", "span", "weight", "whole"), ("eq", "gt", "isnull")
    )
    sorts = ("mint", "metal", "uid", "clock", "since", "local", "span", "whole")


bp = Blueprint("column_types", __name__, url_prefix="/column_types")
api = Api(bp)


def schema_of(model: type[Any]) -> type[ModelSchema]:
    """Return the schema of a model."""
    return type(f"{model.__name__}Schema", (ModelSchema,), {"Meta": type("Meta", (), {"model": model})})


def serve(api: Api, crud: type[Crud], url: str) -> None:
    """Register a resource of a model."""
    members = {"verbs": crud(), "schema": schema_of(crud.model)}
    type(f"{crud.model.__name__}Resource", (ModelResource,), members).register(api, url)


serve(api, CommonRows, "/common_rows")
