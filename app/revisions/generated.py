"""Generated columns in a revision: the same line runs on every engine."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect


def make_portable(dialect: Dialect) -> None:
    """Make an engine's DDL compiler write a generated column as the engine takes it."""
    names = {"postgresql": _Stored, "mysql": _Nullable, "mariadb": _Nullable}
    if dialect.name in names:
        dialect.ddl_compiler = type("DDLCompiler", (names[dialect.name], dialect.ddl_compiler), {})


def has_virtual(dialect: Dialect) -> bool:
    """Return whether an engine can compute a column when it is read: PostgreSQL before 18 cannot."""
    return dialect.name != "postgresql" or bool(getattr(dialect, "supports_virtual_generated_columns", False))


class _Nullable:
    """MariaDB takes no NOT NULL after GENERATED: what the expression gives, the column has."""

    def get_column_specification(self, column: sa.Column[Any], **kw: Any) -> str:
        if column.computed is not None:
            kw["_force_column_to_nullable"] = True
        found: str = super().get_column_specification(column, **kw)  # type: ignore[misc]  # of the compiler
        return found


class _Stored:
    """PostgreSQL before 18 stores what others compute when it is read: the values are the same."""

    def visit_computed_column(self, generated: sa.Computed, **kw: Any) -> str:
        if not generated.persisted and not has_virtual(self.dialect):  # type: ignore[attr-defined]  # of the compiler
            generated = sa.Computed(generated.sqltext, persisted=True)
        found: str = super().visit_computed_column(generated, **kw)  # type: ignore[misc]  # of the compiler
        return found
