"""The rebuild of a table on SQLite, which can alter little of one: all that the table has is carried over.

Alembic's own rebuild makes the table from what SQLAlchemy reflects, and loses the rest: AUTOINCREMENT and its
sequence, expression indexes, triggers, collations, unnamed checks. Here the statement of the table is taken as it is
written and changed only where the revision says so; its indexes and triggers are made again word by word. These are
the steps of https://www.sqlite.org/lang_altertable.html, section 7.
"""

import itertools
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from alembic.operations import BatchOperations
from alembic.operations import Operations
from alembic.operations.batch import BatchOperationsImpl
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.util import topological

from . import catalogue
from . import statements
from .statements import Definition
from .statements import Statement


def batch_alter_table(operations: Operations) -> Callable[..., Any]:
    """Return what revisions call as ``op.batch_alter_table``."""

    @contextmanager
    def alter(
        table_name: str,
        schema: str | None = None,
        recreate: str = "auto",
        partial_reordering: Any = None,
        copy_from: Any = None,
        table_args: Any = (),
        table_kwargs: Any = None,
        reflect_args: Any = (),
        reflect_kwargs: Any = None,
        naming_convention: Any = None,
    ) -> Iterator[BatchOperations]:
        batch = Batch(  # type: ignore[no-untyped-call]  # it has no types
            operations,
            table_name,
            schema,
            recreate,
            copy_from,
            table_args,
            table_kwargs or {},
            reflect_args,
            reflect_kwargs or {},
            naming_convention,
            partial_reordering or (),
        )
        yield BatchOperations(operations.migration_context, impl=batch)
        batch.flush()

    return alter


class Batch(BatchOperationsImpl):
    """The changes of one table, in one rebuild where SQLite needs one."""

    def flush(self) -> None:
        connection = self.impl.connection
        as_text = self.operations.migration_context.as_sql
        if self.dialect.name != "sqlite" or as_text or connection is None or not self._should_recreate():
            super().flush()
            return
        with _all_or_nothing(connection):
            before = set(catalogue.broken(connection))
            self._rebuild(connection)
            lost = sorted(set(catalogue.broken(connection)) - before)
            if lost:
                raise CommandError(
                    f"The table {self.table_name!r} cannot be rebuilt: what is left of it does not do for "
                    f"{'; '.join(lost)}. Drop that first in the revision, and make it again after."
                )

    def _rebuild(self, connection: Connection) -> None:
        _rename_columns(connection, self.table_name, self.batch)
        rebuild = Rebuild(connection, self)
        for name, arguments, keywords in self.batch:
            getattr(rebuild, name)(*arguments, **keywords)
        rebuild.run()


class Rebuild:
    """One table in its new form, and what belongs to it."""

    def __init__(self, connection: Connection, batch: Batch) -> None:
        self.connection = connection
        self.impl = batch.impl
        self.name = batch.table_name
        self.quote = batch.dialect.identifier_preparer.quote_identifier
        self.compiler: Any = batch.dialect.ddl_compiler(batch.dialect, None)  # type: ignore[arg-type]  # it compiles no statement
        self.naming_convention = batch.naming_convention
        self.statement = Statement.parse(catalogue.read_statement(connection, self.name))
        self.kept = [*self.statement.columns]
        self.attached = catalogue.attached(connection, self.name)
        self.new_indexes: list[tuple[sa.Index, dict[str, Any]]] = []
        self.renamed = _renames(batch.batch)
        self._take(batch.table_args, batch.table_kwargs)
        self.order = batch.partial_reordering

    # --- what a revision may ask for, by alembic's names -----------------------------------------

    def alter_column(
        self,
        table: str,
        column: str,
        nullable: bool | None = None,
        server_default: Any = False,
        type_: Any = None,
        **others: Any,
    ) -> None:
        position = self._position(column)
        definition = Definition.parse(self.statement.elements[position])
        if type_ is not None:
            definition.type = self.impl.dialect.type_compiler_instance.process(sa.types.to_instance(type_))
            if getattr(type_, "collation", None):
                definition = definition.without("COLLATE")
        if nullable is not None:
            definition = definition.without("NOT", "NULL")
            definition.clauses += [] if nullable else ["NOT NULL"]
        if server_default is not False:
            definition = definition.without("DEFAULT")
            definition.clauses += [] if server_default is None else [self._default(definition.name, server_default)]
        self.statement.elements[position] = definition.compose()

    def add_column(
        self,
        table: str,
        column: sa.Column[Any],
        insert_before: str | None = None,
        insert_after: str | None = None,
        **_: Any,
    ) -> None:
        if insert_before:
            position = self._position(insert_before)
        else:
            position = self._position(insert_after or self.statement.columns[-1]) + 1
        self.statement.elements.insert(position, self.compiler.get_column_specification(column))

    def drop_column(self, table: str, column: sa.Column[Any], **_: Any) -> None:
        position = self._position(column.name)
        name = self.statement.columns[position]
        del self.statement.elements[position]
        self.kept.remove(name)
        remaining = (self._without_column(element, name) for element in self.statement.elements)
        self.statement.elements = [element for element in remaining if element]

    def add_constraint(self, constraint: sa.Constraint, **_: Any) -> None:
        is_wanted = constraint._create_rule
        if is_wanted is not None and not is_wanted(self.compiler):
            return
        if isinstance(constraint, sa.PrimaryKeyConstraint):
            self._drop_primary_key()
        self.statement.elements.append(self.compiler.process(constraint))

    def drop_constraint(self, constraint: sa.Constraint, **_: Any) -> None:
        name = self.compiler.preparer.format_constraint(constraint)
        elements = self.statement.elements
        if name is not None:
            self.statement.elements = self._without_constraint(statements.plain_name(name))
        if self.statement.elements == elements:
            self._drop_unnamed(constraint)

    def create_index(self, index: sa.Index, **keywords: Any) -> None:
        self.new_indexes.append((index, keywords))

    def drop_index(self, index: sa.Index, if_exists: bool | None = None, **_: Any) -> None:
        found = [one for one in self.attached if one[:2] == ("index", index.name)]
        if not found and if_exists:
            return
        if not found:
            raise ValueError(f"No such index: {index.name!r}")
        self.attached.remove(found[0])

    def create_column_comment(self, column: Any) -> None:
        """SQLite has no comments."""

    create_table_comment = drop_table_comment = create_column_comment

    # --- the pieces -----------------------------------------------------------------------------

    def _position(self, column: str) -> int:
        known = self.statement.columns
        return self.statement.position(column if column in known else self.renamed.get(column, column))

    def _default(self, column: str, default: Any) -> str:
        other = sa.Column(statements.plain_name(column), sa.Text, server_default=default)
        sa.Table(self.name, sa.MetaData(), other)
        text = self.compiler.get_column_default_string(other) or "NULL"
        is_expression = not isinstance(getattr(other.server_default, "arg", ""), str)
        return f"DEFAULT ({text})" if is_expression and not text.startswith("(") else f"DEFAULT {text}"

    def _without_column(self, element: str, column: str) -> str | None:
        """Return a constraint without a column that goes; ``None`` if nothing of it is left."""
        if not statements.is_constraint(element):
            return element
        kind = statements.kind(element)
        if kind == "CHECK":
            others = [one for one in self.statement.columns if statements.mentions(element, one)]
            return None if statements.mentions(element, column) and not others else element
        left = [one for one in statements.local_columns(element) if one.lower() != column.lower()]
        if len(left) == len(statements.local_columns(element)):
            return element
        return f"PRIMARY KEY ({', '.join(map(self.quote, left))})" if kind == "PRIMARY" and left else None

    def _without_constraint(self, name: str) -> list[str]:
        def is_it(text: str) -> bool:
            return (statements.constraint_name(text) or "").lower() == name.lower()

        found = []
        for element in self.statement.elements:
            if not statements.is_constraint(element):
                definition = Definition.parse(element)
                left = [clause for clause in definition.clauses if not is_it(clause)]
                is_same = len(left) == len(definition.clauses)
                found.append(element if is_same else Definition(definition.name, definition.type, left).compose())
            elif not is_it(element):
                found.append(element)
        return found

    def _drop_unnamed(self, constraint: sa.Constraint) -> None:
        """Drop a constraint that has no name in the database: a check by its text, others by their columns."""
        if isinstance(constraint, sa.CheckConstraint):
            wanted = _normal(self.compiler.process(constraint))
            elements = [one for one in self.statement.elements if _normal(one) != wanted]
        else:
            elements = [self._without_unnamed(one, str(constraint.name)) for one in self.statement.elements]
        if elements == self.statement.elements and not getattr(constraint, "_type_bound", False):
            raise ValueError(f"No such constraint: {constraint.name!r}")
        self.statement.elements = list(filter(None, elements))

    def _without_unnamed(self, element: str, name: str) -> str:
        """Return an element without the constraint that the naming convention of the batch calls so."""
        if statements.is_constraint(element):
            columns = statements.local_columns(element) if statements.kind(element) != "CHECK" else []
            return "" if self._conventional(element, columns) == name else element
        definition = Definition.parse(element)
        column = statements.plain_name(definition.name)
        left = [clause for clause in definition.clauses if self._conventional(clause, [column]) != name]
        is_same = left == definition.clauses
        return element if is_same else Definition(definition.name, definition.type, left).compose()

    def _conventional(self, text: str, columns: list[str]) -> str | None:
        """Return the name that an unnamed constraint would have by the naming convention of the batch."""
        if not self.naming_convention or statements.constraint_name(text) is not None:
            return None
        kind = statements.kind(text)
        constraint: Any
        if kind == "UNIQUE":
            constraint = sa.UniqueConstraint(*columns)
        elif kind == "PRIMARY":
            constraint = sa.PrimaryKeyConstraint(*columns)
        elif kind in ("FOREIGN", "REFERENCES"):
            referred = statements.referred_table(text)
            constraint = sa.ForeignKeyConstraint(columns, [f"{referred}.{column}" for column in columns])
        else:
            return None
        metadata = sa.MetaData(naming_convention=self.naming_convention)
        sa.Table(self.name, metadata, *(sa.Column(column, sa.Text) for column in columns), constraint)
        found = None if constraint.name is None else self.compiler.preparer.format_constraint(constraint)
        return statements.plain_name(found) if found else None

    def _drop_primary_key(self) -> None:
        self.statement.elements = [
            Definition.parse(element).without("PRIMARY").compose() if not statements.is_constraint(element) else element
            for element in self.statement.elements
            if not (statements.is_constraint(element) and statements.kind(element) == "PRIMARY")
        ]

    def _take(self, arguments: Any, keywords: dict[str, Any]) -> None:
        """Take what ``table_args`` and ``table_kwargs`` of a batch say.

        :raises alembic.util.CommandError: for what has no meaning here
        """
        for argument in arguments:
            self.add_constraint(argument)
        for name, value in keywords.items():
            if name == "sqlite_autoincrement" and value:
                self._number_rows()
            elif name == "sqlite_strict" and value and "STRICT" not in self.statement.options.upper():
                self.statement.options = ", ".join(filter(None, [self.statement.options, "STRICT"]))
            elif name.startswith("sqlite_") and not (name == "sqlite_strict" and value):
                raise CommandError(f"{name}={value!r} of the table {self.name!r} cannot be changed by a rebuild.")

    def _number_rows(self) -> None:
        """Make the key AUTOINCREMENT."""
        if "AUTOINCREMENT" in map(str.upper, statements.words(" ".join(self.statement.elements))):
            return
        key = sa.inspect(self.connection).get_pk_constraint(self.name)["constrained_columns"]
        self._drop_primary_key()
        position = self._position(key[0])
        definition = Definition.parse(self.statement.elements[position])
        definition.clauses.insert(0, "PRIMARY KEY AUTOINCREMENT")
        self.statement.elements[position] = definition.compose()

    # --- the rebuild ----------------------------------------------------------------------------

    def run(self) -> None:
        """Make the new table, fill it, and let it take the place of the old one."""
        name, temporary = self.quote(self.name), self.quote(f"_alembic_tmp_{self.name}")
        self._reorder()
        sequence = catalogue.sequence(self.connection, self.name)
        self._execute(self.statement.compose(temporary))
        columns = self._copied(temporary)
        self._execute(f"INSERT INTO {temporary} ({columns}) SELECT {columns} FROM {name}")  # noqa: S608 - quoted
        self._execute(f"DROP TABLE {name}")
        with _legacy_rename(self.connection):
            self._execute(f"ALTER TABLE {temporary} RENAME TO {name}")
        catalogue.restore_sequence(self.connection, self.name, sequence)
        for kind, attached, text in self.attached:
            self._make_again(kind, attached, text)
        for index, keywords in self.new_indexes:
            self.impl.create_index(index, **keywords)

    def _reorder(self) -> None:
        pairs = {pair for names in self.order or () for pair in itertools.pairwise(names)}
        if pairs:
            definitions = dict(zip(self.statement.columns, self.statement.elements, strict=False))
            constraints = self.statement.elements[len(definitions) :]
            ordered = topological.sort(pairs, list(definitions), deterministic_order=True)
            self.statement.elements = [*(definitions[column] for column in ordered), *constraints]

    def _copied(self, temporary: str) -> str:
        """Return the columns whose values are copied, and the row's number where no column is one."""
        generated = {
            column
            for column in self.kept
            if Definition.parse(self.statement.elements[self.statement.position(column)]).expression is not None
        }
        names = [self.quote(column) for column in self.kept if column not in generated]
        taken = {column.lower() for column in [*self.statement.columns, *self.kept]}
        rowid = next((one for one in ("rowid", "_rowid_", "oid") if one not in taken), None)
        if rowid and self.statement.has_rowid and not self._has_number(temporary):
            names.insert(0, rowid)
        return ", ".join(names)

    def _has_number(self, temporary: str) -> bool:
        """Return whether a column is the row's number: an INTEGER PRIMARY KEY, which needs no index."""
        has_key = any(row[5] for row in self._execute(f"PRAGMA table_info({temporary})"))
        return has_key and not any(row[3] == "pk" for row in self._execute(f"PRAGMA index_list({temporary})"))

    def _make_again(self, kind: str, name: str, text: str) -> None:
        try:
            self._execute(text)
        except sa.exc.OperationalError as error:
            raise CommandError(
                f"The table {self.name!r} cannot be rebuilt: its {kind} {name!r} cannot be made again: {error.orig}. "
                f"Drop it first in the revision (op.drop_{kind}, or op.execute), and make another after."
            ) from error

    def _execute(self, statement: str) -> list[Any]:
        # Colons in a literal must not be read as SQLAlchemy's parameters.
        result = self.connection.exec_driver_sql(statement)
        return list(result) if result.returns_rows else []


# --- the steps around it ------------------------------------------------------------------------


@contextmanager
def _all_or_nothing(connection: Connection) -> Iterator[None]:
    connection.exec_driver_sql("SAVEPOINT rebuild")
    try:
        yield
    except BaseException:
        # A disk that is full ends the transaction, and the savepoint with it.
        with suppress(sa.exc.OperationalError):
            connection.exec_driver_sql("ROLLBACK TO rebuild")
            connection.exec_driver_sql("RELEASE rebuild")
        raise
    connection.exec_driver_sql("RELEASE rebuild")


@contextmanager
def _legacy_rename(connection: Connection) -> Iterator[None]:
    """Allow the rename of a table while a view or a trigger reads one that does not exist at this moment."""
    before = connection.exec_driver_sql("PRAGMA legacy_alter_table").scalar()
    connection.exec_driver_sql("PRAGMA legacy_alter_table = ON")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA legacy_alter_table = {before}")


def _renames(batch: list[Any]) -> dict[str, str]:
    found = {}
    for name, arguments, keywords in batch:
        if name == "alter_column" and keywords.get("name") not in (None, arguments[1]):
            found[arguments[1]] = keywords["name"]
    return found


def _rename_columns(connection: Connection, table: str, batch: list[Any]) -> None:
    """Rename by SQLite itself, which changes indexes, triggers, views and the keys of other tables with it."""
    quote = connection.dialect.identifier_preparer.quote_identifier
    for old, new in _renames(batch).items():
        try:
            connection.exec_driver_sql(f"ALTER TABLE {quote(table)} RENAME COLUMN {quote(old)} TO {quote(new)}")
        except sa.exc.OperationalError as error:
            raise CommandError(
                f"The column {old!r} of the table {table!r} cannot be renamed: {error.orig}. "
                "Drop that first in the revision, and make it again after."
            ) from error


def _normal(text: str) -> str:
    """Return a constraint's text without its name, its quotes and its blanks."""
    found = list(statements.words(text))
    rest = found[2:] if found and found[0].upper() == "CONSTRAINT" else found
    return " ".join(statements.plain_name(word).lower() if word[0] in '"`[' else word.lower() for word in rest)
