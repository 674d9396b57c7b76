"""PostgreSQL's enum types, which outlive the last table that uses them."""

from sqlalchemy import Connection
from sqlalchemy import text

_USED = text("""
    SELECT DISTINCT type.oid::regtype::text
    FROM pg_type type
    JOIN pg_attribute attribute ON attribute.atttypid IN (type.oid, type.typarray)
    JOIN pg_class class ON class.oid = attribute.attrelid
    WHERE type.typtype = 'e' AND type.typnamespace = current_schema()::regnamespace
    AND class.relkind IN ('r', 'p') AND NOT attribute.attisdropped
""")


class EnumTypes:
    """The enum types that columns use, to drop those that a revision has left without a column.

    Without this the next revision that makes such a column fails: the type exists already.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.used = self._used()
        connection.rollback()

    def drop_unused(self) -> None:
        """Drop the types that lost their last column since the last call."""
        used = self._used()
        for name in sorted(self.used - used):
            self.connection.exec_driver_sql(f"DROP TYPE IF EXISTS {name}")
        self.used = used

    def _used(self) -> set[str]:
        if self.connection.dialect.name != "postgresql":
            return set()
        return set(self.connection.scalars(_USED))
