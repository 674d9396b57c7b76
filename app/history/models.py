"""The table of changes. Rows are added and pruned, never changed."""

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import JSON
from sqlalchemy import BigInteger
from sqlalchemy import Index
from sqlalchemy import Integer
from sqlalchemy import String
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Mapped
from sqlalchemy.orm import defer
from sqlalchemy.orm import mapped_column
from sqlalchemy.orm import query_expression
from sqlalchemy.orm import with_expression
from sqlalchemy.sql.base import ExecutableOption
from sqlalchemy.types import TypeDecorator

from core.data.models import UtcDateTime
from core.data.models import exact
from core.data.models import now
from services import Model

#: Characters of a name; a longer one is cut.
LONGEST_NAME = 120

_Id = BigInteger().with_variant(Integer(), "sqlite")


class Values(TypeDecorator[Any]):
    """JSON that may be as deep as in a column of its own, and one level more: MariaDB's own type takes 32 levels."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.LONGTEXT())
        return dialect.type_descriptor(self.impl_instance)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return json.dumps(value) if value is not None and dialect.name in ("mysql", "mariadb") else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return json.loads(value) if value is not None and dialect.name in ("mysql", "mariadb") else value


class Change(Model):
    """One row was created, updated or deleted."""

    __tablename__ = "history_change"
    __recorded__ = False
    __table_args__ = (
        Index(None, "model", "row_key", "id"),
        Index(None, "actor_key", "id"),
        # A number is never given twice, also when the newest rows are deleted.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, index=True)
    actor_key: Mapped[str | None] = mapped_column(
        exact(64), info={"description": "Key of the identity that did it; null for an anonymous visitor."}
    )
    actor_name: Mapped[str] = mapped_column(
        String(LONGEST_NAME), default="", info={"description": "What they were called then."}
    )
    via: Mapped[str] = mapped_column(
        exact(20), default="", info={"description": "session, token or command; empty for an anonymous visitor."}
    )
    request_id: Mapped[str | None] = mapped_column(
        exact(64), info={"description": "X-Request-ID of the request; the logs have it too."}
    )
    model: Mapped[str] = mapped_column(
        exact(64), info={"description": "The name of the row's table.", "example": "shop_order"}
    )
    row_key: Mapped[str] = mapped_column(exact(255), info={"description": "The row's key, as text.", "example": "12"})
    verb: Mapped[str] = mapped_column(exact(10), info={"description": "create, update or delete.", "example": "update"})
    before: Mapped[dict[str, Any] | None] = mapped_column(
        Values, info={"description": "The values that changed, as they were; null where there was no row."}
    )
    after: Mapped[dict[str, Any] | None] = mapped_column(
        Values, info={"description": "The same values as they became; null where the row is gone."}
    )
    hidden: Mapped[list[str] | None] = mapped_column(
        Values, info={"description": "What changed as well, and is a secret: it is not kept."}
    )
    cut: Mapped[list[str] | None] = mapped_column(
        Values, info={"description": "What changed as well, and is too long to be kept."}
    )
    is_effect: Mapped[bool | None] = mapped_column(
        info={"description": "Whether the application did it on its own behalf, as part of something else."}
    )
    undoes_id: Mapped[int | None] = mapped_column(
        BigInteger, index=True, info={"description": "The change that this one took back."}
    )

    #: Read in the place of `before` and `after`, where they may be long; see `brief`.
    brief_before: Mapped[dict[str, Any] | None] = query_expression()
    brief_after: Mapped[dict[str, Any] | None] = query_expression()

    @property
    def values(self) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """The values before and after, as far as they were read."""
        return (self.brief_before, self.brief_after) if self._is_brief else (self.before, self.after)

    @property
    def is_long(self) -> bool:
        """Return whether the values were not read because they are long."""
        return self._is_brief and self.brief_before is None and self.brief_after is None

    @property
    def _is_brief(self) -> bool:
        state: Any = sa.inspect(self)
        return bool({"before", "after"} & state.unloaded)

    def __str__(self) -> str:
        return f"{self.verb} {self.model} {self.row_key}"


def brief(most: int) -> list[ExecutableOption]:
    """Return the options that read the values of a change only where they have so many bytes at most."""
    sizes = [sa.func.coalesce(sa.func.length(sa.cast(side, sa.Text)), 0) for side in (Change.before, Change.after)]
    is_short = sizes[0] + sizes[1] <= most
    shown = {Change.brief_before: Change.before, Change.brief_after: Change.after}
    return [
        *(defer(side, raiseload=True) for side in shown.values()),
        *(with_expression(name, sa.case((is_short, side), else_=sa.null())) for name, side in shown.items()),
    ]
